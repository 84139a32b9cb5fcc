//! The metrics that are read when they are requested, and so can never be out of date.

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::App;
use crate::idp::trust::TrustRecord;
use crate::shadow::Shadow;
use crate::telemetry;
use crate::tls::ServerTls;

impl App {
    /// The metrics of this process, in the OpenMetrics text format.
    pub fn render_metrics(&self) -> Result<String, fmt::Error> {
        self.metrics.render(&state(self))
    }
}

fn state(app: &App) -> Registry {
    let mut registry = Registry::with_prefix("countersign");
    add_policies(&mut registry, app);
    add_replicas(&mut registry, app);
    add_clock(&mut registry, app);
    add_seals(&mut registry, app);
    for (name, help, number) in [
        ("connections", "Open connections to the public listener", app.gate.connections.open()),
        ("connections_max", "How many of them there may be", app.gate.connections.most()),
        ("revocation_followers", "Requests that follow the revocations", app.revocation_pages.followers()),
        (
            "issuers_with_other_metadata",
            "Issuers whose metadata named another issuer or jwks_uri than was saved when this process last asked them",
            app.issuer_keys.differing_metadata(),
        ),
    ] {
        registry.register(name, help, ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)));
    }
    add_counters(&mut registry, app);
    if let Some(shadow) = &app.shadow {
        add_shadow(&mut registry, shadow);
    }
    if let Some(tls) = app.tls.get() {
        add_certificate(&mut registry, tls);
    }
    registry
}

fn add_counters(registry: &mut Registry, app: &App) {
    let (counts, trust) = (app.store.counts(), app.issuer_keys.record());
    for (name, help, count) in [
        (
            "issuer_key_changes",
            "Changes of providers' keys that this process was the first to notice",
            trust.map_or(0, TrustRecord::key_changes),
        ),
        (
            "issuer_metadata_changes",
            "Changes of providers' metadata to another issuer or jwks_uri that this process was the first to notice",
            trust.map_or(0, TrustRecord::metadata_changes),
        ),
        (
            "connections_refused",
            "Connections that were closed at once since too many were open",
            app.gate.connections.refused(),
        ),
        (
            "unreadable_addresses",
            "Requests whose header did not tell the caller's address",
            app.unreadable_addresses.count(),
        ),
        (
            "uncounted_token_uses",
            "Looks at access tokens that were not counted, since too many tokens were used at once",
            app.token_uses.uncounted(),
        ),
        (
            "policy_cache_differences",
            "Remembered decisions that came out otherwise when they were made again",
            app.policy_cache.differences(),
        ),
        ("overload_refusals", "Requests that were refused since too many were under way", app.gate.refused()),
        ("lookups_unanswered", "Host names that DNS did not tell in time", app.resolver.unanswered()),
        ("log_lines_dropped", "Log lines that could not be written", telemetry::dropped_lines()),
        ("store_commits", "Transactions that wrote", counts.commits.load(Ordering::Relaxed)),
        ("store_writes", "Writes that these transactions carried", counts.writes.load(Ordering::Relaxed)),
    ] {
        registry.register(name, help, ConstCounter::new(count));
    }
}

fn add_certificate(registry: &mut Registry, tls: &ServerTls) {
    let expires = ConstGauge::new(tls.expires());
    let help = "When the certificate of the listeners expires, in seconds since 1970";
    registry.register_with_unit("tls_certificate_expiry_timestamp", help, Unit::Seconds, expires);
    let ok = ConstGauge::new(i64::from(tls.is_current()));
    registry.register("tls_reload_ok", "Whether the certificate could be used when it last changed", ok);
    let failed = ConstCounter::new(tls.failed_handshakes());
    registry.register("tls_handshakes_failed", "Connections that ended before a TLS handshake did", failed);
}

fn add_policies(registry: &mut Registry, app: &App) {
    let (policies, failed) = (app.policies(), app.policy_files.last_error().is_some());
    let ok = ConstGauge::new(i64::from(!failed));
    registry.register("policy_reload_ok", "Whether the policies could be read when they last changed", ok);
    let at = ConstGauge::new(policies.loaded_at);
    let help = "Since when the policies are in force, in seconds since 1970";
    registry.register_with_unit("policy_loaded_timestamp", help, Unit::Seconds, at);
    registry.register("policy_set", "The policies in force", Info::new([("hash", policies.hash.clone())]));
}

fn add_replicas(registry: &mut Registry, app: &App) {
    let (policies, others) = (app.policies(), app.replicas.others());
    let differing = others.iter().filter(|other| other.policy_set != policies.hash).count();
    for (name, help, number) in [
        ("replicas", "Processes that serve this database, this one included", others.len() + 1),
        ("replicas_with_other_policies", "Those of them that decide by other policies", differing),
    ] {
        registry.register(name, help, ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)));
    }
}

fn add_clock(registry: &mut Registry, app: &App) {
    let difference = ConstGauge::new(app.clock_watch.difference());
    let help = "This machine's time minus the database's; 0 where they are the same clock";
    registry.register_with_unit("clock_difference", help, Unit::Seconds, difference);
    let steps = ConstCounter::new(app.clock_watch.steps());
    registry.register("clock_steps", "How often this machine's clock was set while the process ran", steps);
}

fn add_seals(registry: &mut Registry, app: &App) {
    let sealed = Family::<Vec<(&str, &str)>, Gauge>::default();
    for (log, last_id) in app.seals.sealed() {
        sealed.get_or_create(&vec![("log", log.as_str())]).set(last_id);
    }
    let help = "The last row of each log that is sealed; 0 while this process has not looked";
    registry.register("audit_sealed_id", help, sealed);
}

fn add_shadow(registry: &mut Registry, shadow: &Shadow) {
    let ok = ConstGauge::new(i64::from(shadow.files.last_error().is_none()));
    registry.register("shadow_reload_ok", "Whether the shadow set could be read when it last changed", ok);
    if let Some(set) = shadow.policies() {
        registry.register("shadow_set", "The shadow set", Info::new([("hash", set.hash.clone())]));
    }
    let counts = shadow.counts();
    for (name, help, count) in [
        ("shadow_evaluated", "Decisions that the shadow set was asked about", counts.evaluated),
        ("shadow_different", "Decisions that the shadow set would have made otherwise", counts.different),
        ("shadow_dropped", "Different decisions of which nothing is written down", counts.dropped),
    ] {
        registry.register(name, help, ConstCounter::new(count));
    }
}
