//! Metrics of this process for monitoring, in the OpenMetrics text format.

pub(crate) mod process;

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::model::signal_endpoint::SignalEndpoint;
use crate::oauth::error::{Reason, TokenError};
use crate::policy::Policies;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds; the last is the longest time that a request may take.
const DURATIONS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Outcomes of a request at the token endpoint.
const GRANTED: &str = "granted";
const REFUSED: &str = "refused";

/// The outcome of reading the policies again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reload {
    /// Other policies are in force now.
    Loaded,
    /// The files hold what is in force already.
    Unchanged,
    /// The files cannot be used; what was in force stays.
    Failed,
}

/// The answer of introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntrospectionOutcome {
    /// The token is active.
    Active,
    /// It is not.
    Inactive,
    /// The request was not answered: it was malformed, nobody's, or the database could not be asked.
    Refused,
}

impl EncodeLabelValue for IntrospectionOutcome {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Refused => REFUSED,
        };
        text.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IntrospectionLabels {
    outcome: IntrospectionOutcome,
}

impl EncodeLabelValue for Reload {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        };
        text.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: Reload,
}

/// The answer to a proxy about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForwardAuthResult {
    /// It may pass.
    Passed,
    /// It has no token.
    NoToken,
    /// It is malformed.
    InvalidRequest,
    /// Its token is not active.
    InvalidToken,
    /// Its token lacks a scope.
    InsufficientScope,
    /// Its headers do not say which tool it calls.
    McpHeaders,
    /// The policies deny it the tool.
    ToolDenied,
    /// The policies ask for another sign-in first.
    StepUp,
    /// The decision log does not have the facts of its token's sign-in, or they have the former name of the teamspace.
    SignInUnknown,
    /// Nobody can tell whether its token was revoked, or what it may do.
    Unavailable,
    /// The proxy lacks the resource's credentials.
    UnknownProxy,
}

impl ForwardAuthResult {
    const ALL: [Self; 11] = [
        Self::Passed,
        Self::NoToken,
        Self::InvalidRequest,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::McpHeaders,
        Self::ToolDenied,
        Self::StepUp,
        Self::SignInUnknown,
        Self::Unavailable,
        Self::UnknownProxy,
    ];
}

impl EncodeLabelValue for ForwardAuthResult {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Passed => "passed",
            Self::NoToken => "no_token",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::McpHeaders => "mcp_headers",
            Self::ToolDenied => "tool_denied",
            Self::StepUp => "step_up",
            Self::SignInUnknown => "sign_in_unknown",
            Self::Unavailable => "unavailable",
            Self::UnknownProxy => "unknown_proxy",
        };
        text.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ForwardAuthLabels {
    result: ForwardAuthResult,
}

/// What became of a signal of an identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalResult {
    /// It ended somebody's sessions, or there was nothing to do.
    Accepted,
    /// It was acted on before.
    Repeated,
    /// It is not known to come from the identity provider, breaks a rule, or is about nobody here.
    Refused,
    /// There were too many, or the service could not act on it now; the sender tries again.
    Unavailable,
}

impl SignalResult {
    const ALL: [Self; 4] = [Self::Accepted, Self::Repeated, Self::Refused, Self::Unavailable];
}

impl EncodeLabelValue for SignalResult {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        };
        text.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignalLabels {
    endpoint: &'static str,
    result: SignalResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExchangeLabels {
    outcome: &'static str,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    stream: String,
}

/// The counters of one log stream.
#[derive(Clone)]
pub struct StreamMetrics {
    /// Rows that the receiver took.
    pub sent: Counter,
    /// Attempts that failed; each is repeated.
    pub failed: Counter,
    /// The age of the oldest unsent row, in seconds.
    pub behind: Gauge,
}

/// The counts, each an atomic, and the registry that names them.
pub struct Metrics {
    registry: Registry,
    exchanges: Family<ExchangeLabels, Counter>,
    durations: Histogram,
    introspections: Family<IntrospectionLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    forward_auths: Family<ForwardAuthLabels, Counter>,
    signals: Family<SignalLabels, Counter>,
    rows_sent: Family<StreamLabels, Counter>,
    sends_failed: Family<StreamLabels, Counter>,
    streams_behind: Family<StreamLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let exchanges = Family::<ExchangeLabels, Counter>::default();
        let durations = Histogram::new(DURATIONS);
        let introspections = Family::<IntrospectionLabels, Counter>::default();
        let reloads = Family::<ReloadLabels, Counter>::default();
        // Every count starts at zero: one that appears with its first event does not look like an increase.
        drop(exchanges.get_or_create(&ExchangeLabels { outcome: GRANTED, reason: String::new() }));
        for reason in Reason::ALL {
            let reason = (*reason).to_owned();
            drop(exchanges.get_or_create(&ExchangeLabels { outcome: REFUSED, reason }));
        }
        for outcome in
            [IntrospectionOutcome::Active, IntrospectionOutcome::Inactive, IntrospectionOutcome::Refused]
        {
            drop(introspections.get_or_create(&IntrospectionLabels { outcome }));
        }
        for result in [Reload::Loaded, Reload::Unchanged, Reload::Failed] {
            drop(reloads.get_or_create(&ReloadLabels { result }));
        }
        let forward_auths = Family::<ForwardAuthLabels, Counter>::default();
        for result in ForwardAuthResult::ALL {
            drop(forward_auths.get_or_create(&ForwardAuthLabels { result }));
        }
        let signals = Family::<SignalLabels, Counter>::default();
        for endpoint in SignalEndpoint::ALL.map(SignalEndpoint::name) {
            for result in SignalResult::ALL {
                drop(signals.get_or_create(&SignalLabels { endpoint, result }));
            }
        }
        let mut registry = Registry::with_prefix("countersign");
        registry.register("exchanges", "Requests at the token endpoint", exchanges.clone());
        let help = "Time to answer a request at the token endpoint";
        registry.register_with_unit("exchange_duration", help, Unit::Seconds, durations.clone());
        registry.register("introspections", "Requests at the introspection endpoint", introspections.clone());
        registry.register("policy_reloads", "Readings of changed policies", reloads.clone());
        registry.register("forward_auths", "Requests at forward-auth", forward_auths.clone());
        registry.register("signals", "Signals of identity providers that end sessions", signals.clone());
        let (rows_sent, sends_failed, streams_behind) =
            <(Family<_, _>, Family<_, _>, Family<_, _>)>::default();
        registry.register(
            "log_stream_sent",
            "Rows of the decision log that a receiver took",
            rows_sent.clone(),
        );
        let help = "Attempts to send rows of the decision log that failed";
        registry.register("log_stream_failed", help, sends_failed.clone());
        let help = "Age of the oldest row of the decision log that was not sent";
        registry.register_with_unit("log_stream_behind", help, Unit::Seconds, streams_behind.clone());
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", version);
        Self {
            registry,
            exchanges,
            durations,
            introspections,
            reloads,
            forward_auths,
            signals,
            rows_sent,
            sends_failed,
            streams_behind,
        }
    }
}

impl Metrics {
    /// Counts an answer of the token endpoint.
    pub fn count_exchange(&self, refused: Option<&TokenError>, took: Duration, policies: &Policies) {
        self.durations.observe(took.as_secs_f64());
        let outcome = if refused.is_some() { REFUSED } else { GRANTED };
        let reason = refused.map(|error| error.reason.as_str()).unwrap_or_default();
        let mut labels = ExchangeLabels { outcome, reason: reason.to_owned() };
        if let Some(known) = self.exchanges.get(&labels) {
            known.inc();
            return;
        }
        let bounded =
            reason.is_empty() || Reason::ALL.contains(&reason) || policies.compiled.gives_reason(reason);
        if !bounded {
            "other".clone_into(&mut labels.reason);
        }
        self.exchanges.get_or_create(&labels).inc();
    }

    /// Counts an answer of introspection.
    pub fn count_introspection(&self, outcome: IntrospectionOutcome) {
        self.introspections.get_or_create(&IntrospectionLabels { outcome }).inc();
    }

    /// Counts an answer of forward-auth.
    pub fn count_forward_auth(&self, result: ForwardAuthResult) {
        self.forward_auths.get_or_create(&ForwardAuthLabels { result }).inc();
    }

    /// Counts a signal of an identity provider.
    pub fn count_signal(&self, endpoint: SignalEndpoint, result: SignalResult) {
        self.signals.get_or_create(&SignalLabels { endpoint: endpoint.name(), result }).inc();
    }

    /// Counts a reading of the policies.
    pub fn count_reload(&self, result: Reload) {
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
    }

    /// The counts of a log stream, from zero on.
    pub fn of_stream(&self, name: &str) -> StreamMetrics {
        let labels = StreamLabels { stream: name.to_owned() };
        StreamMetrics {
            sent: self.rows_sent.get_or_create_owned(&labels),
            failed: self.sends_failed.get_or_create_owned(&labels),
            behind: self.streams_behind.get_or_create_owned(&labels),
        }
    }

    /// Renders all counts, `state`, and the process's own metrics.
    pub fn render(&self, state: &Registry) -> Result<String, fmt::Error> {
        let mut process = Registry::default();
        process::add(&mut process);
        let mut text = String::new();
        for registry in [&self.registry, state, &process] {
            encode_registry(&mut text, registry)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }
}
