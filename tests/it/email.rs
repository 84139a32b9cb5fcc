//! The one rule for addresses.

use countersign::email::{domain_of, is_domain, plain_address};
use proptest::prelude::*;

#[test]
fn plain_addresses_are_taken_in_lower_case() {
    for (text, address) in [
        ("dana@acme.com", "dana@acme.com"),
        ("Dana.O'Neil+x@Acme.COM", "dana.o'neil+x@acme.com"),
        ("a@b.c", "a@b.c"),
        ("!#$%&'*+-/=?^_`{|}~@acme.com", "!#$%&'*+-/=?^_`{|}~@acme.com"),
    ] {
        assert_eq!(plain_address(text).as_deref(), Some(address));
    }
    assert_eq!(domain_of("dana@acme.com"), Some("acme.com"));
}

/// RFC 5322 comments, quoted parts and literals, and what else could hide another mailbox or name one twice.
#[test]
fn other_ways_to_write_a_mailbox_are_not() {
    for text in [
        "",
        "dana",
        "@acme.com",
        "dana@",
        "dana@acme",
        "a@b@acme.com",
        "victim(x)@corp.example",
        "(x)victim@corp.example",
        "victim@(x)corp.example",
        "victim@corp.example(x)",
        "\"victim\"@corp.example",
        "\"a b\"@corp.example",
        "victim@[127.0.0.1]",
        "victim@[IPv6:::1]",
        ".dana@acme.com",
        "dana.@acme.com",
        "da..na@acme.com",
        "dana@acme..com",
        "dana@.acme.com",
        "dana@acme.com.",
        "dana@-acme.com",
        "dana @acme.com",
        " dana@acme.com",
        "dana@acme.com\n",
        "da\0na@acme.com",
        "dänä@acme.com",
        "dana@äcme.com",
        "Dana <dana@acme.com>",
        "dana:x@acme.com",
        "a,b@acme.com",
        "a;b@acme.com",
        "a\\b@acme.com",
    ] {
        assert_eq!(plain_address(text), None, "{text:?}");
    }
    assert_eq!(plain_address(&format!("{}@acme.com", "x".repeat(246))), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_address_has_one_at_and_a_domain_and_nothing_to_fold(text in "[a-zA-Z0-9.@()\" \\[\\]<>,;:\\\\é+-]{0,24}") {
        if let Some(address) = plain_address(&text) {
            let (local, domain) = address.split_once('@').unwrap();
            prop_assert!(is_domain(domain) && !local.is_empty());
            prop_assert!(!address.contains(['(', ')', '"', ' ', '[', ']', '<', '>', ',', ';', ':', '\\', 'é']));
            prop_assert!(!local.starts_with('.') && !local.ends_with('.') && !address.contains(".."));
            prop_assert_eq!(plain_address(&address), Some(address.clone()));
            prop_assert!(text.eq_ignore_ascii_case(&address));
        }
    }

    #[test]
    fn every_dot_atom_at_a_domain_is_taken(text in "[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,9}(\\.[a-z0-9_+-]{1,9}){0,3}@[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){1,3}") {
        prop_assert_eq!(plain_address(&text), Some(text.clone()));
    }
}
