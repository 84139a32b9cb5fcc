//! What the server under test must be told.

use super::issuer::SuiteIdp;
use super::target::TestTarget;

/// The configuration, in words for any server and as commands for Countersign.
pub fn setup(target: &TestTarget, idp: &SuiteIdp) -> String {
    let resource = target.resource.as_deref().unwrap_or("(none: give --resource)");
    let scope = target.scope.as_deref().unwrap_or("(none: give --scope)");
    let email = target.email.as_deref().unwrap_or("(none)");
    let client = &target.client.id;
    let (issuer, jwks_uri, client_jwks) = (idp.issuer(), idp.jwks_uri(), idp.client_jwks_uri());
    let jwks = idp.keys().jwks();
    format!(
        "Set the server under test up with this, and then run the same command without --print-setup. The identity
provider runs until you interrupt this command.

Identity provider
  issuer        {issuer}
  key set       {jwks_uri}
                {jwks}
  signs with    {alg}

Client, confidential, for the grant urn:ietf:params:oauth:grant-type:jwt-bearer
  client_id     {client}, with the secret that you give
  optional      a second client for --other-client-id; one with the keys of {client_jwks}
                for --key-client-id; credentials for introspection for --introspection-client-id

Resource
  identifier    {resource}
  scopes        {scope}

Person
  sub           {subject}
  email         {email}

No limit of requests for a minute or two.

For Countersign, an operator's token in COUNTERSIGN_TOKEN, and {issuer} in fetch.private_origins:
  countersign resource create {resource} --name Conformance {scopes}
  countersign client create {client} --client-secret-file FILE
  countersign teamspace create conformance --name Conformance --plan enterprise
  countersign provider create --teamspace conformance --provider oidc --issuer {issuer}
",
        alg = target.alg.as_str(),
        subject = target.subject,
        scopes = scope.split(' ').map(|scope| format!("--scopes {scope}")).collect::<Vec<_>>().join(" "),
    )
}
