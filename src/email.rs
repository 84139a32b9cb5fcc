//! Email addresses: the one rule for claims, invitations and teamspaces' domains.

/// The longest address that is taken, in bytes (RFC 5321 §4.5.3.1.3).
const MAX_ADDRESS: usize = 254;

/// The address in lower case, if it is plain: dot-atom, `@`, domain. RFC 5322 has ways to write one mailbox
/// differently, or to hide another one in it (comments, quoted parts, domain literals); none of them is taken.
/// Plus tags and dots stay: what they mean is the provider's business.
pub fn plain_address(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let is_plain = text.len() <= MAX_ADDRESS && local.split('.').all(is_atom) && is_domain(domain);
    is_plain.then(|| text.to_ascii_lowercase())
}

/// The part after the `@` of an address.
pub fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

/// `atom` of RFC 5322 §3.2.3, without white space and comments around it.
fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
}

/// Whether a text is a host name of at least two labels.
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}
