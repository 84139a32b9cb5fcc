//! Secrets come from files and variables, are compared without being read back, and are shown nowhere.

use super::harness::{Place, Ran, WAYS, Way};
use crate::harness::{CLIENT, SECRET};

const NEXT: &str = "the-next-secret-of-the-client-01";

#[tokio::test]
async fn another_secret_is_added_and_the_one_before_stays_for_a_while() {
    for way in WAYS {
        let place = Place::start().await;
        place
            .write("c.yaml", &format!("clients:\n- client_id: {CLIENT}\n  client_secret_file: secret.txt\n"));
        let has = |secret: &str| place.app.app.snapshot().client(CLIENT).unwrap().has_secret(secret);
        // Files of Kubernetes' secrets and of editors may end with a line end.
        place.write("secret.txt", &format!("{SECRET}\n"));
        place.apply(way, &["-f", "c.yaml"], 0).await.says(&["Nothing to do"]);
        place.write("secret.txt", NEXT);
        let ran = place.apply(way, &["-f", "c.yaml", "--format", "json"], 0).await;
        ran.says(&["\"client_secret\": \"that in secret.txt\""]);
        assert!(!ran.out().contains(NEXT));
        place.app.app.reload().await.unwrap();
        assert!(has(NEXT) && has(SECRET));
        place.apply(way, &["-f", "c.yaml", "--dry-run"], 0).await;
        let audit = place.app.database.contents();
        assert!(!audit.windows(NEXT.len()).any(|part| part == NEXT.as_bytes()));
    }
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_told_before_anything_is_done() {
    let place = Place::start().await;
    place.write("short", "too short");
    place.write(
        "c.yaml",
        "teamspaces: [{slug: new, name: New, plan: pro}]\nclients:\n- client_id: a\n  client_secret_file: absent\n\
         - client_id: b\n  client_secret_env: NOT_SET\n- client_id: c\n  client_secret_file: short\n",
    );
    let ran = place.apply(Way::Server, &["-f", "c.yaml"], 2).await;
    ran.says(&[
        "3 mistakes:",
        "c.yaml:3: the secret of `a`, in absent: No such file",
        "c.yaml:5: the secret of `b`, in the variable NOT_SET: which is not set",
    ]);
    ran.says(&[
        "c.yaml:7: the secret of `c`, in short: expected 16 to 256 printable ASCII characters without spaces",
    ]);
    assert!(!ran.err().contains("too short"));
    place.write("c.yaml", "teamspaces: [{slug: new, name: New, plan: pro}]\nclients: [{client_id: a}]\n");
    let ran = place.apply(Way::Server, &["-f", "c.yaml"], 2).await;
    ran.says(&["c.yaml:2: the service has no client `a`, and a new one needs its secret"]);
    assert!(place.app.app.snapshot().teamspace_config("new").is_none());
}

/// A secret in the file itself is refused, and not repeated.
#[tokio::test]
async fn a_secret_in_the_file_is_refused() {
    let place = Place::start().await;
    place.write("c.yaml", &format!("clients:\n- client_id: {CLIENT}\n  client_secret: {NEXT}\n"));
    let ran: Ran = place.apply(Way::Database, &["-f", "c.yaml"], 2).await;
    ran.says(&["c.yaml:3: unknown field `client_secret`; did you mean `client_secret_"]);
    assert!(!ran.err().contains(NEXT));
}
