//! The parts of the running service, and what keeps them up to date.

mod clock_watch;
mod detail_types;
mod gauges;
mod policies;
mod readiness;
mod recheck;
mod references;
mod refusals;
mod reload;
mod replaced;
mod replica_registry;
mod retention;
mod seals;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::clock::{Clock, UnixSeconds};
use crate::config::Config;
use crate::disclosure::PastSets;
use crate::dpop::{Nonces, UsedProofs};
use crate::idp::client_documents::ClientDocuments;
use crate::idp::client_keys::ClientKeys;
use crate::idp::fetch::{Fetcher, FetcherError};
use crate::idp::jwks::IssuerKeys;
use crate::idp::trust::TrustRecord;
use crate::limits::admin::Budgets;
use crate::limits::gate::Gate;
use crate::limits::refusals::Refusals;
use crate::limits::turns::Turns;
use crate::limits::{Limits, UnreadableAddresses};
use crate::metrics::Metrics;
use crate::model::log::Log;
use crate::openid::OpenIdProvider;
use crate::policy::reload::{PolicyFiles, Watch};
use crate::policy::reload::{PolicyReloader, ReloadTrigger};
use crate::policy::{CacheControl, LoadError, Policies, PolicyPlace};
use crate::random::NoEntropy;
use crate::resolver::Resolver;
use crate::revocation::{KnownTokens, RevocationPages, RevokedTokens, TokenUses};
use crate::shadow::Shadow;
use crate::signing::{self, Signer, SigningError};
use crate::store::member_cache::MemberCache;
use crate::store::snapshot::Snapshot;
use crate::store::{Store, StoreError};
use crate::tls::ServerTls;

pub use clock_watch::ClockWatch;
pub use detail_types::{DetailTypesError, read_detail_types};
pub use readiness::{Readiness, ReadinessCheck};
pub use references::{MAX_LISTED, unknown_names};
pub use replica_registry::ReplicaRegistry;
pub use seals::{INTERVAL as SEAL_INTERVAL, Seals};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened, read or migrated.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The policies or their schema cannot be used.
    #[error(transparent)]
    Policies(#[from] LoadError),
    /// A type of authorization details cannot be registered.
    #[error(transparent)]
    DetailTypes(#[from] DetailTypesError),
    /// No signing key can be made or used.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The client for outbound requests cannot be set up.
    #[error(transparent)]
    Fetcher(#[from] FetcherError),
    /// A thread of the start ended without a result.
    #[error("the clients for outbound requests cannot be made: {0}")]
    Thread(#[from] JoinError),
    /// The system gave no random bytes.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// The only bag of parts.
pub struct App {
    /// The configuration, as it was read at the start.
    pub config: Config,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Notices when the clock was set or the machine slept.
    pub clock_watch: ClockWatch,
    /// The database.
    pub store: Store,
    /// Looks up the host names of identity providers and log streams.
    pub resolver: Resolver,
    /// Fetches documents of identity providers, within the rules for addresses and sizes.
    pub fetcher: Fetcher,
    /// The key sets of identity providers, as they were last fetched.
    pub issuer_keys: IssuerKeys,
    /// The keys of clients that sign their own assertions.
    pub client_keys: ClientKeys,
    /// The clients that documents describe.
    pub client_documents: ClientDocuments,
    /// The OpenID provider at which people sign in to the console; none where it is not configured.
    pub openid: Option<OpenIdProvider>,
    /// The budgets of callers of the token endpoint.
    pub limits: Limits,
    /// The budgets of the admin API's tokens.
    pub admin_budgets: Budgets,
    /// Which refusals get a row.
    pub refusals: Refusals,
    /// The members whom sign-ins found, so that the next one asks the database nothing.
    pub member_cache: MemberCache,
    /// Lets one request of a subject into the database after the other.
    pub turns: Turns,
    /// The recent revocations of access tokens.
    pub revoked: RevokedTokens,
    /// Revocations for those who follow them.
    pub revocation_pages: RevocationPages,
    /// The access tokens that were verified.
    pub known_tokens: KnownTokens,
    /// The proofs that came with bound tokens.
    pub used_proofs: UsedProofs,
    /// How often access tokens were looked at since that was last written.
    pub token_uses: TokenUses,
    /// The numbers at `/metrics`.
    pub metrics: Metrics,
    /// How remembered decisions are used.
    pub policy_cache: CacheControl,
    /// In front of the public listener.
    pub gate: Arc<Gate>,
    /// Counts requests whose header did not give the caller's address.
    pub unreadable_addresses: UnreadableAddresses,
    /// The shadow set, which decides nothing; none when it is off.
    pub shadow: Option<Shadow>,
    /// Where the policies come from.
    pub policy_files: PolicyReloader,
    /// This process among its replicas.
    pub replicas: ReplicaRegistry,
    /// Whether sign-ins can be served.
    pub readiness: Readiness,
    /// The annotations of policy sets that are no longer in force.
    pub past_sets: PastSets,
    /// The chains of both logs.
    pub seals: Seals,
    /// The certificate of the listeners, from when they listen on; none without TLS.
    pub tls: OnceLock<Arc<ServerTls>>,
    registered_types: detail_types::RegisteredTypes,
    kept: policies::ArchivedSets,
    told_names: references::ToldNames,
    snapshot: ArcSwap<Snapshot>,
    policies: ArcSwap<Policies>,
    signer: ArcSwap<Signer>,
    /// Whether the signing keys have changed since they were read.
    keys_stale: AtomicBool,
    /// Allows one reload at a time: of two that overlap, the older must not win.
    reloading: tokio::sync::Mutex<()>,
}

impl App {
    /// Assembles the service on a migrated database. Valid policies are required.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        let outbound = prepare_outbound(&config);
        let policies = Watch::begin(policy_place(&config), clock.now())?;
        let store = Store::open(&config.database_url, &config.database)?;
        replaced::begin_to_serve(&store, &config, &*clock).await?;
        let signer = signing::load(&store, &config, clock.now()).await?;
        let record = Some(TrustRecord::new(store.clone()));
        let outbound = (outbound.await??, record);
        let app = Self::assemble(config, clock, policies, (store, signer), outbound).await?;
        // A shadow set that cannot be read stops nothing.
        app.follow_shadow(ReloadTrigger::Now).await;
        app.tell_replaced_set().await?;
        app.keep_sets().await;
        app.tell_unknown_names();
        Ok(app)
    }

    /// Assembles an `App` for commands that only read: it has no signing keys and writes nothing.
    pub async fn inspect(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        let outbound = prepare_outbound(&config);
        let policies = Watch::begin(policy_place(&config), clock.now())?;
        let store = Store::open(&config.database_url, &config.database)?;
        let outbound = (outbound.await??, None);
        Self::assemble(config, clock, policies, (store, Signer::default()), outbound).await
    }

    async fn assemble(
        config: Config,
        clock: Arc<dyn Clock>,
        (watch, policies): (Watch, Policies),
        (store, signer): (Store, Signer),
        ((resolver, fetcher), record): ((Resolver, Fetcher), Option<TrustRecord>),
    ) -> Result<Arc<Self>, StartError> {
        let registered_types = detail_types::RegisteredTypes::read(&config.authorization_details)?;
        let snapshot = store.read(Snapshot::load).await?;
        let revoked = RevokedTokens::load(&store, &*clock).await?;
        Ok(Arc::new(Self {
            client_documents: ClientDocuments::new(&fetcher, Arc::clone(&clock), &config, record.clone()),
            issuer_keys: IssuerKeys::new(fetcher.clone(), Arc::clone(&clock), config.jwks.clone(), record),
            client_keys: ClientKeys::new(&fetcher, Arc::clone(&clock), config.jwks.clone()),
            openid: OpenIdProvider::of(&config, &fetcher, &clock),
            limits: Limits::new(&config.rate_limit, &config.issuer_lookup),
            admin_budgets: Budgets::new(&config.admin),
            refusals: Refusals::new(config.rate_limit.recorded_refusals_per_minute),
            member_cache: MemberCache::default(),
            turns: Turns::default(),
            revoked,
            revocation_pages: RevocationPages::default(),
            known_tokens: KnownTokens::default(),
            used_proofs: UsedProofs::default(),
            token_uses: TokenUses::default(),
            metrics: Metrics::default(),
            policy_cache: CacheControl::new(config.policy_cache.clone()),
            gate: Arc::new(Gate::new(&config)),
            unreadable_addresses: UnreadableAddresses::default(),
            shadow: shadow_place(&config).map(Shadow::new),
            policy_files: PolicyReloader::new("in force", watch),
            clock_watch: ClockWatch::new(&*clock),
            replicas: ReplicaRegistry::new(clock.now())?,
            readiness: Readiness::default(),
            past_sets: PastSets::default(),
            seals: Seals::new(&config),
            tls: OnceLock::new(),
            registered_types,
            kept: policies::ArchivedSets::default(),
            told_names: references::ToldNames::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            policies: ArcSwap::from_pointee(policies),
            signer: ArcSwap::from_pointee(signer),
            keys_stale: AtomicBool::new(false),
            reloading: tokio::sync::Mutex::default(),
            config,
            clock,
            store,
            resolver,
            fetcher,
        }))
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The policies in force.
    pub fn policies(&self) -> Arc<Policies> {
        self.policies.load_full()
    }

    /// The signing keys in force.
    pub fn signer(&self) -> Arc<Signer> {
        self.signer.load_full()
    }

    /// The nonces of which proofs must have one; none where they need none.
    pub fn dpop_nonces(&self, now: UnixSeconds) -> Option<Nonces> {
        self.config.dpop.require_nonce.then(|| Nonces::at(&self.signer(), now))
    }

    /// Deletes expired rows in small steps. A clock that may be ahead deletes nothing.
    pub async fn prune(&self) -> Result<(), StoreError> {
        // This comes first: it must happen even while the database cannot be written.
        self.limits.forget_idle();
        self.admin_budgets.forget_idle();
        self.revoked.forget_old(self.clock.now());
        self.clock_watch.look(&*self.clock, None);
        let now = self.clock.now();
        let before = retention::deletable_before(&self.store, &self.config, now).await?;
        self.forget_kept_sets();
        self.keep_sets().await;
        if !self.clock_watch.may_delete(&*self.clock) {
            return Ok(());
        }
        if let Err(error) = self.seal_logs().await {
            tracing::warn!(%error, "cannot seal the logs; until that works, no rows are deleted");
        }
        let key = self.seals.key.as_ref();
        self.store.prune_log(Log::Decisions, before, key).await?;
        self.store.prune(now, before).await?;
        let idle = self.config.console.idle_timeout.as_secs();
        self.store.prune_console_sessions(now, now - idle).await?;
        let kept_for = self.config.retention.audit.as_secs();
        if kept_for > 0 {
            self.store.prune_log(Log::Admin, now - kept_for, key).await?;
        }
        signing::prune(&self.store, now).await
    }
}

/// Makes the clients for outbound requests on another thread: reading the system's root certificates takes about as long
/// as compiling the policies.
fn prepare_outbound(config: &Config) -> JoinHandle<Result<(Resolver, Fetcher), FetcherError>> {
    let config = config.fetch.clone();
    spawn_blocking(move || {
        let resolver = Resolver::new(&config);
        Ok((resolver.clone(), Fetcher::new(&config, &resolver)?))
    })
}

fn policy_place(config: &Config) -> PolicyFiles {
    PolicyFiles {
        dir: PolicyPlace::of_policies(config),
        schema: PolicyPlace::of_schema(config),
        with_cases: config.policy.test_on_reload,
    }
}

/// The tests of a directory are about the policies in force; a shadow set is on trial against them.
fn shadow_place(config: &Config) -> Option<PolicyFiles> {
    let dir = config.policy.shadow_dir.clone()?.into();
    Some(PolicyFiles { dir, schema: PolicyPlace::of_schema(config), with_cases: false })
}
