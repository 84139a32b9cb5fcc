//! The clients, and the credentials of resources, that publish their keys: whether each key set can be fetched and has a usable key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::line::Lines;
use super::many::each;
use super::patient::Patient;
use crate::idp::key_set::KeySet;
use crate::model::client::KeySource;
use crate::model::resource::Resource;

/// How long one client's server may take.
const FOR_ONE: Duration = Duration::from_secs(7);
/// What to do about an address that does not give a key set.
const FIX: &str = "Look at its `jwks_uri` from this machine with `curl -v`: it must hold public keys for RS256, PS256, ES256, \
    ES384 or EdDSA. A server in your own network needs its exact origin in `fetch.private_origins`.";

/// Asks the `jwks_uri` of each enabled client, and of the credentials of resources.
pub(super) async fn examine(patient: &Arc<Patient>, lines: &Lines) {
    // The lines about the database say why there is none.
    let Some(stored) = &patient.stored else { return };
    let of_clients = stored.snapshot.clients().filter(|client| client.enabled);
    let of_clients = of_clients.map(|client| (client.client_id.clone(), client.keys.as_ref()));
    // Their ids are random as a rule, and say nothing about the server.
    let named = |resource: &Resource, id: &str| format!("{id} of {}", resource.identifier);
    let of_credentials = stored.snapshot.resources().flat_map(|resource| {
        resource.credentials.iter().map(move |one| (named(resource, &one.client_id), one.keys()))
    });
    let fetched = of_clients.chain(of_credentials).filter_map(|(name, keys)| match keys {
        Some(KeySource::Fetched(uri)) => Some((name, uri.clone())),
        Some(KeySource::Registered(_)) | None => None,
    });
    let clients: Vec<(String, String)> = fetched.collect();
    let check = |(client_id, uri): (String, String)| {
        let (patient, lines) = (Arc::clone(patient), lines.clone());
        async move {
            if timeout(FOR_ONE, check_client(&patient, &client_id, &uri, &lines)).await.is_err() {
                let message = format!("Its jwks_uri did not answer within {} s.", FOR_ONE.as_secs());
                lines.fail(&client_id, message, FIX);
            }
        }
    };
    each(clients, "clients", lines, check).await;
}

async fn check_client(patient: &Patient, client_id: &str, uri: &str, lines: &Lines) {
    let began = Instant::now();
    let fetched = match patient.fetcher.for_operators().get(uri).await {
        Ok(fetched) => fetched,
        Err(error) => return lines.fail(client_id, format!("Its jwks_uri {uri} {error}."), FIX),
    };
    match KeySet::parse(&fetched.json) {
        Err(error) => lines.fail(client_id, format!("At its jwks_uri {uri}, {error}."), FIX),
        Ok(keys) => {
            let found = format!("{} usable key(s) at {uri}.", keys.usable());
            match keys.left_out_shown().filter(|_| keys.lacks_signing_keys()) {
                Some(left_out) => lines.warn(client_id, format!("{found} Left out: {left_out}."), FIX),
                None => lines.ok(client_id, format!("{found} {} ms", began.elapsed().as_millis())),
            }
        }
    }
}
