//! What nobody can see from outside.

/// Ids, or chapters, and why no check is about them.
const NOT_VISIBLE: &[(&str, &str)] = &[
    ("META-04", "it needs a change of the server's configuration"),
    ("META-09", "whether it is announced is the server's configuration"),
    ("META-14", "the origins of web pages are the server's configuration"),
    ("CLI-09", "it needs a client that may not use the grant"),
    ("CLI-10", "storage and rotation of secrets are not visible from outside"),
    ("CLI-11", "it needs a connection with a client certificate"),
    ("JAG-23", "it needs a person whom the server knows by SAML"),
    ("JAG-31", "it needs a change of the server's configuration"),
    ("SUB-01", "it needs a second tenant"),
    ("SUB-03", "it needs two people whom the server knows"),
    ("SUB-04", "it needs several people whom the server knows"),
    ("SUB-06", "whether new people are let in is the server's policy"),
    ("SUB-07", "it needs a limit of members"),
    ("SUB-08", "it needs a suspended person"),
    ("SUB-09", "it needs a second tenant"),
    ("SUB-10", "it needs a second tenant"),
    ("SUB-12", "what is stored is not visible from outside"),
    ("GRT-04", "it needs to know the server's default scopes"),
    ("GRT-05", "it needs a setting of Countersign"),
    ("GRT-11", "it needs a second resource"),
    ("GRT-12", "it needs a policy of the server"),
    ("ERR-06", "it needs an identity provider that fails for longer than its keys are cached"),
    ("ERR-08", "it is a setting of Countersign"),
    ("AT-07", "it is the server's choice"),
    ("INT-", "it needs a second resource server"),
    ("REV-", "it needs the server's administration or another protocol of the identity provider"),
    ("DPP-07", "the grant jwt-dpop is not tried yet"),
    ("DPP-", "it needs the server's configuration, or is about the MCP server"),
    ("PRS-", "it is about the MCP server, not the authorization server"),
    ("ADM-", "the server's administration is not visible from outside"),
    ("REG-", "the server's administration is not visible from outside"),
    ("STP-", "it needs a policy of the server"),
    ("OPS-", "the server's operation is not visible from outside"),
];

/// The reason, if there is one.
pub fn why_not_visible(id: &str) -> Option<&'static str> {
    NOT_VISIBLE.iter().find(|(start, _)| id.starts_with(start)).map(|(_, why)| *why)
}
