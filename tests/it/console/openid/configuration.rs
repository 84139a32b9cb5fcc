//! The settings of the sign-in.

use countersign::config::{Config, Console};

fn problems(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("countersign.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(dir.path().join("secret"), "from a file\n").unwrap();
    Config::load(Some(&file)).map_or_else(|errors| errors.to_string(), |_| String::new())
}

#[test]
fn what_cannot_be_is_told_by_its_key() {
    let good = "[console.oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"c\"\nclient_secret = \"s3cret\"\n";
    assert_eq!(problems(good), "");
    for (text, key) in [
        ("[console]\noperators = [\"ops@example.com\"]\n".to_owned(), "console.operators"),
        (format!("[console]\noperators = [\"ops\"]\n{good}"), "must be an address such as"),
        (format!("[console]\noperators = [\"group:\"]\n{good}"), "or group:NAME"),
        (format!("[console]\ngroups_claim = \"\"\n{good}"), "console.groups_claim"),
        (good.replace("https://login.example.com", "login.example.com"), "console.oidc.issuer"),
        (good.replace("\"c\"", "\"\""), "console.oidc.client_id"),
        (good.replace("client_secret = \"s3cret\"\n", ""), "console.oidc.client_secret_file"),
        (format!("{good}client_secret_file = \"secret\"\n"), "keep one"),
        (format!("{good}scopes = [\"email profile\"]\n"), "console.oidc.scopes"),
        (good.replace("client_id = \"c\"\n", ""), "client_id"),
        (good.replace("\"s3cret\"", "12345"), "[redacted]"),
    ] {
        let told = problems(&text);
        assert!(told.contains(key) && !told.contains("s3cret") && !told.contains("12345"), "{key}: {told}");
    }
}

#[test]
fn a_secret_may_be_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (file, secret) = (dir.path().join("countersign.toml"), dir.path().join("secret"));
    std::fs::write(&secret, "from a file\n").unwrap();
    let text = format!(
        "[console.oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"c\"\nclient_secret_file = {secret:?}\n"
    );
    std::fs::write(&file, text).unwrap();
    let oidc = Config::load(Some(&file)).unwrap().console.oidc.unwrap();
    assert_eq!(oidc.client_secret.unwrap().expose(), "from a file");
    assert_eq!(oidc.scopes, ["email", "profile"]);
}

#[test]
fn operators_are_found_by_address_or_group() {
    let operators = vec!["Ops@Example.com".to_owned(), "group:On Call".to_owned()];
    let console = Console { operators, ..Console::default() };
    let is = |email: &str, groups: &[&str]| {
        console.is_operator(email, &groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>())
    };
    assert!(is("ops@example.com", &[]) && is("dev@example.com", &["a", "On Call"]));
    assert!(!is("dev@example.com", &["on call", "Ops@Example.com"]) && !is("group:On Call", &[]));
}
