//! `countersign doctor`: the live deployment, as seen from the service's place and with its configuration. It changes
//! nothing.
//!
//! The database comes first, since most other checks need to know what is configured. The rest runs at the same time,
//! each group with a deadline, so that all of it is over in 15 seconds whatever hangs.

pub mod challenge;
mod client_keys;
mod clocks;
mod database;
pub(crate) mod exposed;
pub(crate) mod healthcheck;
mod http;
mod issuer;
mod keys;
mod line;
mod listeners;
mod many;
mod pages;
mod patient;
mod policies;
mod providers;
mod resources;
mod volume;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::config::Config;
use crate::idp::fetch::FetcherError;
use crate::policy::with_stack;
pub use crate::store::inspection::{DatabaseSettings, PostgresSettings, SqliteSettings};
pub use database::lines_about;
use line::Lines;
pub use line::{DoctorGroup, DoctorLine, LineStatus};
use patient::{ClockReadings, Patient};
pub use volume::{Volume, network_file_system};

/// How long the database may take.
const FOR_DATABASE: Duration = Duration::from_secs(6);
/// How long everything may take.
const FOR_ALL: Duration = Duration::from_secs(14);

/// Examines a deployment. The lines come in the order of the groups.
pub async fn examine(config: Config, clock: Arc<dyn Clock>) -> Result<Vec<DoctorLine>, FetcherError> {
    let until = Instant::now() + FOR_ALL;
    let fetcher = http::fetcher(&config)?;
    let own = http::for_own_urls(&fetcher, own_urls(&config).iter().map(String::as_str));
    let (now, readings) = (clock.now(), ClockReadings::default());
    let read_policies = policies::begin(&config, now);
    let database = Lines::new(DoctorGroup::Database);
    let reading = database::examine(&config, &clock, &readings, &database);
    let stored = within(&database, Instant::now() + FOR_DATABASE, reading).await.flatten();
    let patient = Arc::new(Patient { config, clock, fetcher, own, stored, readings });
    let groups = groups(&patient, read_policies, until).await;
    let [issuer, policies, keys, providers, clients, resources, listeners] = groups;
    issuer.sort(&issuer::ORDER);
    listeners.sort(&listeners::ORDER);
    providers.sort(&[]);
    clients.sort(&[]);
    resources.sort(&[]);
    let clock = Lines::new(DoctorGroup::Clock);
    clocks::examine(&patient, &clock);
    let all = [issuer, clock, database, policies, keys, providers, clients, resources, listeners];
    Ok(all.iter().flat_map(Lines::take).collect())
}

/// Runs all groups but the database's and the clock's, each until the deadline at most.
async fn groups(patient: &Arc<Patient>, policies: policies::Reading, until: Instant) -> [Lines; 7] {
    use DoctorGroup::{Clients, IdentityProviders, Issuer, Keys, Listeners, Policies, Resources};
    let lines = [Issuer, Policies, Keys, IdentityProviders, Clients, Resources, Listeners].map(Lines::new);
    let [issuer, policy, key, provider, client, resource, listener] = &lines;
    tokio::join!(
        within(issuer, until, issuer::examine(patient, issuer)),
        within(policy, until, policies::examine(patient, policies, policy)),
        within(key, until, async { keys::examine(patient, key) }),
        within(provider, until, providers::examine(patient, provider)),
        within(client, until, client_keys::examine(patient, client)),
        within(resource, until, resources::examine(patient, resource)),
        within(listener, until, listeners::examine(patient, listener)),
    );
    lines
}

/// Runs checks until a deadline, and says so if they did not end.
async fn within<T>(lines: &Lines, until: Instant, checks: impl Future<Output = T>) -> Option<T> {
    let done = timeout_at(until, checks).await.ok();
    if done.is_none() {
        lines.fail(
            "deadline",
            "The checks of this group did not end in time, and the rest of them was not made.",
            "Look for what is slow: the other lines of this group say what did end. Then run this again.",
        );
    }
    done
}

/// Runs work that waits for files, a database or the processor on a thread of its own, which is left alone if it
/// hangs.
fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (answer, done) = oneshot::channel();
    // If it cannot be started, the receiver says that nothing comes.
    let _ = std::thread::Builder::new().name("doctor".into()).spawn(move || {
        let _ = answer.send(with_stack(work));
    });
    done
}

/// The URLs that the operator's configuration gives to this service.
fn own_urls(config: &Config) -> Vec<String> {
    let management = healthcheck::management_url(config);
    [Some(config.issuer.clone()), config.console_url(), Some(management)].into_iter().flatten().collect()
}
