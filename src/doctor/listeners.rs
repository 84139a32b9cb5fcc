//! The service's own addresses on this machine: whether it answers there, and is ready.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::healthcheck::{failing, management_url};
use super::http::{self, HttpReply};
use super::line::Lines;
use super::patient::Patient;
use crate::policy::counted;
use crate::store::replicas::Replica;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long a connection on this machine may take.
const FOR_CONNECTION: Duration = Duration::from_secs(2);
const START: &str = "Start the service here, or ignore this if it runs on other machines only.";

/// The names of the checks, in the order of the report.
pub(super) const ORDER: [&str; 5] =
    ["listen", "management_listen", "console.listen", "policies_in_force", "replicas"];

/// Asks each configured address, and compares the processes that announce themselves in the database.
pub(super) async fn examine(patient: &Patient, lines: &Lines) {
    let config = &patient.config;
    let console = config.console.listen.filter(|_| config.console.enabled);
    tokio::join!(
        connect("listen", Some(config.listen), lines),
        management(patient, lines),
        connect("console.listen", console, lines),
    );
    if let Some(stored) = &patient.stored {
        replicas(&stored.replicas, lines);
    }
}

async fn connect(name: &str, address: Option<SocketAddr>, lines: &Lines) {
    let Some(address) = address else { return };
    let place = http::reachable(address);
    match timeout(FOR_CONNECTION, TcpStream::connect(place)).await {
        Ok(Ok(_)) => lines.ok(name, format!("Something listens on {place}.")),
        _ => lines.warn(name, format!("Nothing listens on {place}."), START),
    }
}

async fn management(patient: &Patient, lines: &Lines) {
    let name = "management_listen";
    let url = format!("{}/readyz", management_url(&patient.config));
    let reply = match http::get(&patient.own, &url).await {
        Ok(reply) => reply,
        Err(error) => return lines.warn(name, format!("{url} {error}."), START),
    };
    match reply.status {
        200 => ready(name, &reply, lines),
        503 if reply.text("status") == Some("stopping") => {
            lines.warn(name, "The service is stopping.", "Wait until it has been started again.");
        }
        503 => lines.fail(
            name,
            format!("The service is not ready: {}.", failing(&reply).join(", ")),
            "Mend what is named; the service's log has the causes. It is ready again by itself.",
        ),
        status => lines.fail(
            name,
            format!("{url} answered with status {status}: that is not Countersign."),
            "Another program has this address. Stop it, or change `management_listen`.",
        ),
    }
    if let Some(error) =
        reply.json.as_ref().and_then(|json| json.get("policy_error")).filter(|e| !e.is_null())
    {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("see the service's log");
        lines.fail(
            "policies_in_force",
            format!("The service could not load the policies, and goes on with older ones: {message}"),
            "Run `countersign policy check`, and correct them. The service reads them again by itself.",
        );
    }
}

fn ready(name: &str, reply: &HttpReply, lines: &Lines) {
    match reply.text("version") {
        Some(VERSION) => lines.ok(name, format!("The service is ready, and of this version, {VERSION}.")),
        other => lines.warn(
            name,
            format!(
                "The service is ready, but of version {}; this program is {VERSION}.",
                other.unwrap_or("unknown")
            ),
            "Restart the service to finish the upgrade, or run the doctor of its version.",
        ),
    }
}

/// Whether all processes on the database are of one version and decide by the same policies.
fn replicas(replicas: &[Replica], lines: &Lines) {
    let Some(first) = replicas.first() else { return };
    let told = |value: fn(&Replica) -> &str| {
        let told = replicas.iter().map(|replica| format!("{}: {}", replica.name, value(replica)));
        told.collect::<Vec<_>>().join(", ")
    };
    if replicas.iter().any(|replica| replica.version != first.version) {
        let message = format!("The processes are of several versions: {}.", told(|replica| &replica.version));
        lines.warn("replicas", message, "Replace the older ones.");
    } else if replicas.iter().any(|replica| replica.policy_set != first.policy_set) {
        let message =
            format!("The processes decide by different policies: {}.", told(|replica| &replica.policy_set));
        lines.warn("replicas", message, "Bring the same policy files to every machine.");
    } else {
        let running = counted(replicas.len(), "process runs", "processes run");
        let message = format!("{running}, with the same version and policies.");
        lines.ok("replicas", message);
    }
}
