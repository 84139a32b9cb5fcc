//! A client that a metadata document describes (draft-ietf-oauth-client-id-metadata-document). The suite's own server has
//! the documents.

use serde_json::Value;

use super::client_authentication::with_client_assertion;
use super::key_client::good_assertion;
use crate::conformance::issuer::ClientDocument;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::wire::ProbeReply;

const IDS: [&str; 2] = ["REG-02", "REG-03"];
const TITLE: &str = "a client with a metadata document";
/// Documents that make no client (§4.1 of the draft).
const WRONG: [(&str, &str, ClientDocument); 2] = [
    ("REG-02", "a document with the client_id of another one", ClientDocument::OtherId),
    ("REG-03", "a document with a secret in it", ClientDocument::WithSecret),
];

/// Runs the checks where the server takes such clients, and can reach the documents.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if !IDS.iter().any(|id| suite.wants(id)) {
        return Ok(());
    }
    if suite.metadata.get("client_id_metadata_document_supported") != Some(&Value::Bool(true)) {
        skip(suite, "the metadata does not have client_id_metadata_document_supported");
        return Ok(());
    }
    let reply = exchange(suite, ClientDocument::Good).await?;
    if !reply.is_grant() && !suite.idp.was_asked_for(ClientDocument::Good) {
        let url = suite.idp.document_url(ClientDocument::Good);
        skip(suite, &format!("the server did not ask for {url}, which it may have to be told to allow"));
        return Ok(());
    }
    if suite.wants("REG-02") {
        suite.expect_grant(&CheckedRule::new("REG-02", TITLE), &reply);
    }
    for (id, title, document) in WRONG {
        if suite.wants(id) {
            let reply = exchange(suite, document).await?;
            let rule = CheckedRule::new(id, title);
            match reply.is_refusal() && !suite.idp.was_asked_for(document) {
                true => suite.skip(&rule, "the server did not ask for this document"),
                false => suite.expect(&rule, reply.is_refusal(), "a refusal (401 invalid_client)", &reply),
            }
        }
    }
    Ok(())
}

fn skip(suite: &mut Suite, why: &str) {
    for id in IDS {
        suite.skip(&CheckedRule::new(id, TITLE), why);
    }
}

async fn exchange(suite: &mut Suite, document: ClientDocument) -> Result<ProbeReply, SuiteKeyError> {
    let id = suite.idp.document_url(document);
    let assertion = good_assertion(suite, &id)?;
    with_client_assertion(suite, &id, &assertion).await
}
