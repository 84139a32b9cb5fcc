//! Host names that this service looks up itself.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use countersign::config::{self, Fetch};
use countersign::idp::fetch::{FetchError, Fetcher};
use countersign::random;
use countersign::resolver::{Files, LookupError, Resolver};
use countersign::store::admin_tokens::{self, AdminToken};
use countersign::store::{AnyConnection, StoreError};
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::dns::{FakeDns, Reply};
use crate::harness::{START, TestApp, http};
use crate::process::{Process, real_time, until};

/// A machine whose configuration the test writes.
struct Machine {
    dir: TempDir,
    fetch: Fetch,
}

impl Machine {
    fn asking(servers: &[&FakeDns]) -> Self {
        let dns_servers = servers.iter().map(|server| server.address.into()).collect();
        let timeout = config::Duration::from_secs(60);
        Self { dir: tempfile::tempdir().unwrap(), fetch: Fetch { dns_servers, timeout, ..Fetch::default() } }
    }

    /// With little patience, for where nobody answers.
    fn hurried(mut self) -> Self {
        self.fetch.timeout = config::Duration::from_secs(2);
        self
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.dir.path().join(file), text).unwrap();
    }

    fn resolver(&self) -> Resolver {
        let path = |file| self.dir.path().join(file);
        let (resolv_conf, hosts) = (path("resolv.conf"), path("hosts"));
        Resolver::reading(Files { resolv_conf, hosts, look_every: Duration::ZERO }, &self.fetch)
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher::new(&self.fetch, &self.resolver()).unwrap()
    }
}

fn ips(texts: &[&str]) -> Result<Vec<IpAddr>, LookupError> {
    Ok(texts.iter().map(|text| text.parse().unwrap()).collect())
}

#[tokio::test]
async fn both_kinds_of_addresses_are_found_and_kept_as_long_as_dns_says() {
    let dns = FakeDns::start(|name| match name {
        "both.example.com" => Reply::addresses(&["192.0.2.1", "2001:db8::1", "192.0.2.2"]),
        "six.example.com" => Reply::addresses(&["2001:db8::6"]),
        "moving.example.com" => Some(Reply::Addresses(vec![IpAddr::from([192, 0, 2, 3])], 0)),
        "empty.example.com" => Reply::addresses(&[]),
        _ => Some(Reply::NoSuchName),
    })
    .await;
    let resolver = Machine::asking(&[&dns]).resolver();
    let both = ips(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert_eq!(resolver.addresses("both.example.com").await, both);
    assert_eq!(resolver.addresses("six.example.com").await, ips(&["2001:db8::6"]));
    let asked = dns.questions();
    assert_eq!(resolver.addresses("BOTH.example.com").await, both);
    assert_eq!(dns.questions(), asked, "kept");
    for _ in 0..2 {
        let before = dns.questions();
        assert_eq!(resolver.addresses("moving.example.com").await, ips(&["192.0.2.3"]));
        assert!(dns.questions() > before, "not kept");
    }
    for none in ["empty.example.com", "none.example.com", "none.invalid"] {
        assert_eq!(resolver.addresses(none).await, Err(LookupError::NoAddress), "{none}");
    }
    for text in ["a..b", &"x".repeat(64), &"x.".repeat(128)] {
        assert_eq!(resolver.addresses(text).await, Err(LookupError::NotAName), "{text}");
    }
    let found = resolver.socket_addresses("both.example.com:601").await.unwrap();
    assert_eq!(found[2], "[2001:db8::1]:601".parse().unwrap());
    let found = resolver.socket_addresses("[::1]:601").await.unwrap();
    assert_eq!(found, ["[::1]:601".parse().unwrap()]);
}

/// A look-up that hangs is no thread, and never longer than its deadline; many of them are not longer either.
#[tokio::test]
async fn look_ups_end_at_their_deadline_when_dns_is_silent() {
    let (silent, other) = (FakeDns::silent().await, FakeDns::silent().await);
    let resolver = Machine::asking(&[&silent, &other]).hurried().resolver();
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let resolver = resolver.clone();
        tasks.spawn(async move { resolver.addresses(&format!("n{number}.example.com")).await });
    }
    let ends = tasks.join_all().await;
    // All within one deadline, which is 1.6 s: none waits for others and then begins its own.
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let count = |error| ends.iter().filter(|end| **end == Err(error)).count();
    let no_answer = LookupError::NoAnswer(Duration::from_millis(1600));
    assert_eq!(no_answer.to_string(), "no answer from DNS within 1.6s");
    let (unanswered, busy) = (count(no_answer), count(LookupError::Busy));
    assert!(unanswered >= 32 && busy > 0, "{unanswered}, {busy}");
    assert_eq!(unanswered + busy, 200);
    assert_eq!(resolver.unanswered(), unanswered as u64);
}

#[tokio::test]
async fn a_server_that_is_silent_about_ipv6_only_costs_time() {
    let dns = FakeDns::start(|_| Some(Reply::OnlyIpv4(IpAddr::from([192, 0, 2, 1])))).await;
    let machine = Machine::asking(&[&dns]);
    machine.write("resolv.conf", "options timeout:1\n");
    let resolver = machine.resolver();
    assert_eq!(resolver.addresses("a.example.com").await, ips(&["192.0.2.1"]));
}

#[tokio::test]
async fn one_server_that_is_silent_does_not_keep_the_other_from_answering() {
    let silent = FakeDns::silent().await;
    let answering = FakeDns::start(|_| Reply::addresses(&["192.0.2.1"])).await;
    for servers in [[&silent, &answering], [&answering, &silent]] {
        let found = Machine::asking(&servers).resolver().addresses("a.example.com").await;
        assert_eq!(found, ips(&["192.0.2.1"]));
    }
}

/// Names such as `keycloak.auth` in Kubernetes; and what is changed while the service runs.
#[tokio::test]
async fn the_systems_search_list_and_hosts_are_followed() {
    let dns = FakeDns::start(|name| match name {
        "keycloak.auth.svc.cluster.local" => Reply::addresses(&["10.0.0.7"]),
        "keycloak.auth.other.example" => Reply::addresses(&["10.0.0.8"]),
        _ => Some(Reply::NoSuchName),
    })
    .await;
    let machine = Machine::asking(&[&dns]);
    machine.write("resolv.conf", "search a.svc.cluster.local svc.cluster.local\noptions ndots:5\n");
    machine.write("hosts", "# none yet\n");
    let resolver = machine.resolver();
    assert_eq!(resolver.addresses("keycloak.auth").await, ips(&["10.0.0.7"]));
    assert_eq!(dns.asked(), ["keycloak.auth.a.svc.cluster.local", "keycloak.auth.svc.cluster.local"]);
    machine.write("resolv.conf", "search other.example\noptions ndots:5\n");
    assert_eq!(resolver.addresses("keycloak.auth").await, ips(&["10.0.0.8"]));
    let before = dns.questions();
    let hosts =
        b"bytes \xff\n192.0.2.9 Keycloak.Auth keycloak # ours\n2001:db8::9\tkeycloak.auth\n10.1.1.1 six\n";
    machine.write("hosts", hosts);
    assert_eq!(resolver.addresses("keycloak.auth").await, ips(&["192.0.2.9", "2001:db8::9"]));
    assert_eq!(resolver.addresses("six").await, ips(&["10.1.1.1"]));
    for name in ["localhost", "app.localhost"] {
        assert_eq!(resolver.addresses(name).await, ips(&["127.0.0.1", "::1"]));
    }
    assert_eq!(dns.questions(), before, "DNS is not asked for these");
}

#[tokio::test]
async fn a_system_without_configuration_does_not_stop_the_service() {
    let machine = Machine::asking(&[]).hurried();
    let resolver = machine.resolver();
    assert!(resolver.addresses("no-such-host.example.com").await.is_err());
    assert_eq!(resolver.addresses("localhost").await, ips(&["127.0.0.1", "::1"]));
    machine.write("resolv.conf", "nameserver nonsense\n\x07\noptions ndots:x timeout:0 attempts:0\n");
    machine.write("hosts", "192.0.2.1 here\nnonsense there\n");
    assert_eq!(resolver.addresses("here").await, ips(&["192.0.2.1"]));
    assert!(resolver.addresses("there").await.is_err());
}

/// Every address that DNS gives is checked, and it is the one that is connected to.
#[tokio::test]
async fn a_private_address_from_dns_is_refused_unless_its_origin_is_excused() {
    let idp = crate::idp::FakeIdp::start(crate::idp::Key::es256("k")).await;
    let port = idp.issuer.rsplit_once(':').unwrap().1.to_owned();
    let dns = FakeDns::start(|name| match name {
        "excused.example.com" => Reply::addresses(&["127.0.0.1"]),
        "private.example.com" => Reply::addresses(&["10.0.0.1"]),
        "mixed.example.com" => Reply::addresses(&["93.184.215.14", "fd00::1"]),
        "mapped.example.com" => Reply::addresses(&["::ffff:127.0.0.1"]),
        "silent.example.com" => None,
        _ => Some(Reply::NoSuchName),
    })
    .await;
    let mut machine = Machine::asking(&[&dns]);
    machine.fetch.private_origins = vec![format!("http://excused.example.com:{port}").into()];
    let fetcher = machine.fetcher();
    let excused = fetcher.on_behalf_of("acme");
    let path = "/.well-known/openid-configuration";
    let fetched = excused.get(&format!("http://excused.example.com:{port}{path}")).await.unwrap();
    assert_eq!(fetched.json["issuer"], idp.issuer);
    let hurried = machine.hurried().fetcher();
    for name in ["excused", "private", "mixed", "mapped", "silent", "none"] {
        let fetcher = if name == "silent" { &hurried } else { &fetcher };
        let refused = fetcher.get(&format!("https://{name}.example.com{path}")).await.unwrap_err();
        let text = refused.to_string();
        match (name, &refused) {
            ("none", FetchError::Lookup(LookupError::NoAddress)) => {}
            ("silent", FetchError::Lookup(LookupError::NoAnswer(_))) => {
                let expected = "is at a host that cannot be looked up: no answer from DNS within 1.6s";
                assert_eq!(text, expected);
            }
            ("excused" | "private" | "mixed" | "mapped", FetchError::PrivateAddress) => {}
            _ => panic!("{name}: {text}"),
        }
        // A teamspace's administrator cannot tell one from another.
        assert_eq!(refused.confined().to_string(), "cannot be reached at a public address");
    }
}

/// Names that hang take half of the places at the most when administrators of teamspaces enter them.
#[tokio::test]
async fn names_that_hang_leave_room_for_the_keys_of_others() {
    let idp = crate::idp::FakeIdp::start(crate::idp::Key::es256("k")).await;
    let port = idp.issuer.rsplit_once(':').unwrap().1.to_owned();
    let dns = FakeDns::start(|name| match name {
        "idp.example.com" => Reply::addresses(&["127.0.0.1"]),
        _ => None,
    })
    .await;
    let mut machine = Machine::asking(&[&dns]);
    machine.write("resolv.conf", "options timeout:30\n");
    machine.fetch.private_origins = vec![format!("http://idp.example.com:{port}").into()];
    let fetcher = machine.fetcher().on_behalf_of("acme");
    let mut hanging = JoinSet::new();
    for number in 0..300 {
        let fetcher = fetcher.for_administrators();
        hanging.spawn(async move { fetcher.get(&format!("https://n{number}.example.com/")).await });
    }
    until("as many names hang as can", async || dns.asked().len() >= 16).await;
    fetcher.get(&format!("http://idp.example.com:{port}/keys")).await.unwrap();
    assert!(hanging.try_join_next().is_none(), "they still hang");
    assert!(dns.asked().len() <= 17, "{:?}", dns.asked());
}

async fn admin_token(app: &TestApp) -> String {
    let token = random::secret().unwrap();
    let row = AdminToken {
        id: "token".to_owned(),
        name: "acme's".to_owned(),
        token_digest: random::digest(&token),
        teamspace_id: Some("id-of-acme".to_owned()),
        created_at: START,
        expires_at: None,
    };
    let insert = move |c: &mut AnyConnection| Ok::<_, StoreError>(admin_tokens::insert(c, &row)?);
    app.app.store.write(insert).await.unwrap();
    token
}

/// Threads of a process.
fn threads(process: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", process.child.id())).unwrap().count()
}

/// Hundreds at once from one token: no thread waits for DNS, and nobody else waits at all.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_dns_does_not_answer_hold_no_threads() {
    let app = TestApp::start().await;
    real_time(&app);
    let token = admin_token(&app).await;
    let dns = FakeDns::silent().await;
    let servers = format!("COUNTERSIGN_FETCH__DNS_SERVERS='[\"{}\"]'", dns.address);
    let process = Process::serve(&app, &servers);
    process.exchange(&app.assertion(json!({}))).await.unwrap().access_token();
    let before = threads(&process);
    let url = format!("http://{}/api/v1/teamspaces/acme/identity-provider", process.address());
    let mut flood = JoinSet::new();
    for number in 0..300 {
        let body = json!({ "provider": "oidc", "issuer": format!("https://n{number}.example.com") });
        let request = http().put(&url).bearer_auth(&token).json(&body);
        flood.spawn(async move { request.send().await.unwrap().status() });
    }
    until("names hang", async || dns.asked().len() >= 2).await;
    assert_eq!(process.get("/oauth2/jwks").await.status, 200);
    process.exchange(&app.assertion(json!({}))).await.unwrap().access_token();
    let during = threads(&process);
    let ends = flood.join_all().await;
    let checked = StatusCode::UNPROCESSABLE_ENTITY;
    let expected = [checked, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    assert!(ends.iter().all(|status| expected.contains(status)), "{ends:?}");
    assert!(ends.contains(&checked), "{ends:?}");
    // Some are made for other work; each name would have taken one.
    assert!(during <= before + 2, "{before}, then {during}");
    let metrics = process.management("/metrics").await.body;
    assert!(crate::metrics::sample(&metrics, "countersign_lookups_unanswered_total") >= 2.0);
    process.wait_for_log("no answer from DNS within 4s");
    process.stop();
}
