//! How the databases find what the console's pages ask for: no page may look at all rows of a table that grows.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::thread::{self, ThreadId};

use countersign::model::member::Status;
use countersign::store::{AnyConnection, StoreError};
use diesel::connection::{
    Instrumentation, InstrumentationEvent, SimpleConnection as _, set_default_instrumentation,
};
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use super::visitor::Visitor;
use crate::harness::{CLIENT, RESOURCE, TestApp};
use crate::sign_in_counts::count;

/// Tables that stay small whoever comes in. Every other one is taken for one that grows.
const SMALL: [&str; 12] = [
    "client_secrets",
    "clients",
    // Of those who are signed in: the others are deleted.
    "console_sessions",
    "console_setup_tokens",
    "generation",
    "log_streams",
    "policy_counts",
    "policy_sets",
    "replicas",
    "resources",
    "shadow_runs",
    "signing_keys",
];

/// The statements of threads that are listened to.
static HEARD: LazyLock<Mutex<HashMap<ThreadId, BTreeSet<String>>>> = LazyLock::new(Mutex::default);

struct Listener;

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let InstrumentationEvent::StartQuery { query, .. } = event else { return };
        if let Some(heard) = HEARD.lock().unwrap().get_mut(&thread::current().id()) {
            heard.insert(query.to_string().split(" -- binds: ").next().unwrap().to_owned());
        }
    }
}

/// A service whose statements can be listened to: the connections of each kind are one, on a thread of its own.
async fn start() -> TestApp {
    set_default_instrumentation(|| Some(Box::new(Listener))).unwrap();
    let app = TestApp::start_with(|config| {
        (config.database.readers, config.database.writers) = (1, 1);
        (config.admin.requests_per_minute, config.admin.operator_requests_per_minute) = (0, 0);
    });
    app.await
}

/// The threads of its connections.
async fn threads(app: &TestApp) -> [ThreadId; 3] {
    let id = |_: &mut AnyConnection| Ok::<_, StoreError>(thread::current().id());
    let store = &app.app.store;
    [store.list(id).await.unwrap(), store.read(id).await.unwrap(), store.write(id).await.unwrap()]
}

/// The addresses of all pages that are read, as the console's sources say them.
fn routes(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(routes(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("documents.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let calls = source.split(".route(").skip(1);
            let parts = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split_once("\","));
            let read = parts.filter(|(_, handler)| handler.trim_start().starts_with("get("));
            found.extend(read.map(|(route, _)| route.to_owned()));
        }
    }
    found
}

/// Values for the placeholders of a route.
struct Names {
    member: String,
    resource: String,
    request: String,
}

impl Names {
    async fn of(app: &TestApp) -> Self {
        Self {
            member: app.member("dana@acme.com").await.unwrap().id,
            resource: app.app.snapshot().resource(RESOURCE).unwrap().id.clone(),
            request: app.last_sign_in().await.request_id,
        }
    }

    fn address(&self, route: &str) -> String {
        let mut before = "";
        let mut address = String::new();
        for part in route.split('/').skip(1) {
            let name = match (part, before) {
                ("{slug}", _) => "acme",
                ("{kind}", _) => "okta",
                ("{request_id}", _) => &self.request,
                ("{id}", "members") => &self.member,
                ("{id}", "enterprise") => "id-of-acme",
                ("{id}", "clients") => CLIENT,
                ("{id}", "resources") => &self.resource,
                (part, _) if part.starts_with('{') => "x",
                (part, _) => part,
            };
            address = format!("{address}/{name}");
            before = part;
        }
        address
    }

    /// A value that a field takes.
    fn value(&self, field: &str) -> &str {
        match field {
            "from" | "to" => "2026-11-22",
            "outcome" => "refused",
            "request_id" => &self.request,
            "teamspace" => "acme",
            "cursor" => "1000000",
            _ => "x",
        }
    }
}

/// The fields of a page's forms that are sent with GET, and those of its links to other pages of a list.
fn fields(page: &str) -> BTreeSet<String> {
    let forms = page.split("<form").skip(1).filter_map(|form| form.split("</form>").next());
    let searches = forms.filter(|form| form.contains("method=\"get\""));
    let named = searches.flat_map(|form| form.split(" name=\"").skip(1));
    let names = named.filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    names.chain(["cursor", "after"].map(str::to_owned)).collect()
}

/// Asks for every page, with each of its filters and with all of them at once.
async fn walk(visitor: &Visitor, names: &Names) -> usize {
    let mut asked = 0;
    for route in routes(Path::new("src/web/console")) {
        let address = names.address(&route);
        let list = address.strip_suffix("/export").unwrap_or(&address);
        let fields = fields(&visitor.get(list).await.body);
        let one = |field: &String| format!("{field}={}", names.value(field));
        let all: Vec<String> = fields.iter().map(one).collect();
        for query in all.iter().chain([&String::new(), &all.join("&")]) {
            let status = visitor.get(&format!("{address}?{query}")).await.status;
            assert!(status < 500, "{status} of {address}?{query}");
            asked += 1;
        }
    }
    asked
}

#[derive(QueryableByName)]
struct Detail {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Finds faults in a database's plan for a statement.
fn faults(app: &TestApp, statement: &str) -> Vec<String> {
    let mut connection = app.database.connect();
    match app.database.url.starts_with("sqlite:") {
        true => faults_on_sqlite(&mut connection, statement),
        false => faults_on_postgres(&mut connection, statement),
    }
}

fn faults_on_sqlite(connection: &mut AnyConnection, statement: &str) -> Vec<String> {
    let plan = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
    let plan: Vec<Detail> = plan.load(connection).unwrap();
    let steps = || plan.iter().map(|step| step.detail.as_str());
    let grows = |name: &&str| !SMALL.contains(name) && *name != "CONSTANT" && !name.starts_with('(');
    let table = |step: &&str, how: &str| step.strip_prefix(how)?.split(' ').next().filter(grows).map(drop);
    let is_read = steps().any(|step| table(&step, "SCAN ").or(table(&step, "SEARCH ")).is_some());
    let is_wrong = |step: &&str| {
        table(step, "SCAN ").is_some()
            || step.contains("AUTOMATIC")
            || (is_read && step.starts_with("USE TEMP B-TREE FOR ORDER BY"))
    };
    steps().filter(is_wrong).map(str::to_owned).collect()
}

/// The plan for whichever values, where reading a whole table is what the planner avoids if it can: small tables would
/// be read so.
const GENERIC: &str = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; \
    CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS \
    $$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan; RETURN plan::text; END $$";

fn faults_on_postgres(connection: &mut AnyConnection, statement: &str) -> Vec<String> {
    let parameters = (1..).take_while(|number| statement.contains(&format!("${number}"))).count();
    let values = vec!["NULL"; parameters].join(", ");
    let values = if values.is_empty() { values } else { format!("({values})") };
    connection.batch_execute(GENERIC).unwrap();
    connection.batch_execute(&format!("PREPARE asked AS {statement}")).unwrap();
    let plan = format!("SELECT pg_temp.plan_of('EXECUTE asked{values}') AS detail");
    let plan: Detail = diesel::sql_query(plan).get_result(connection).unwrap();
    let mut faults = Vec::new();
    look_at(&serde_json::from_str::<Value>(&plan.detail).unwrap()[0]["Plan"], "", &mut faults);
    faults
}

/// Takes note of the steps of a plan that read all of a table. Where a step names none, it is that of the one above.
fn look_at(step: &Value, above: &str, faults: &mut Vec<String>) {
    let kind = step["Node Type"].as_str().unwrap();
    let table = step["Relation Name"].as_str().unwrap_or(above);
    let reads_all = kind == "Seq Scan" || (kind.contains("Index") && step["Index Cond"].is_null());
    if reads_all && !SMALL.contains(&table) {
        faults.push(format!("{kind} of {table}"));
    }
    step["Plans"].as_array().into_iter().flatten().for_each(|step| look_at(step, table, faults));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_looks_at_all_rows_of_a_table_that_grows() {
    let app = start().await;
    app.granted(json!({})).await;
    app.refused(json!({ "exp": 1 }), "invalid_grant", "expired").await;
    app.put_member("invited@acme.com", Status::Invited).await;
    app.database.execute(
        "INSERT INTO admin_events (at, actor, action, object, request_id) VALUES (1, 'a', 'b', 'c', '')",
    );
    count(&app).await;
    app.app.seal_logs().await.unwrap();
    let (names, threads) = (Names::of(&app).await, threads(&app).await);
    let visitors = [Visitor::operator(&app.app).await, Visitor::by_link(&app.app, "acme").await];
    HEARD.lock().unwrap().extend(threads.map(|thread| (thread, BTreeSet::new())));
    for visitor in &visitors {
        assert!(walk(visitor, &names).await > 100, "most pages are not found");
    }
    let heard = |thread| HEARD.lock().unwrap().remove(&thread).unwrap();
    let statements: BTreeSet<String> = threads.into_iter().flat_map(heard).collect();
    for table in ["sign_ins", "members", "identities", "admin_events", "sign_in_counts", "console_sessions"] {
        assert!(statements.iter().any(|statement| statement.contains(table)), "{table}: {statements:#?}");
    }
    // A statement that can match nothing reads nothing.
    let may_find = |statement: &&String| !statement.contains("WHERE (1=0)");
    let reads =
        |statement: &&String| ["SELECT", "UPDATE", "DELETE"].iter().any(|verb| statement.starts_with(verb));
    let found = statements
        .iter()
        .filter(reads)
        .filter(may_find)
        .map(|statement| (faults(&app, statement), statement));
    let found: Vec<_> = found.filter(|(faults, _)| !faults.is_empty()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_looks_at_all_rows_is_found() {
    let app = start().await;
    for (statement, is_found) in [
        ("SELECT id FROM sign_ins WHERE email = 'x'", true),
        ("SELECT count(*) FROM sign_ins", true),
        ("SELECT id FROM members ORDER BY created_at", true),
        ("SELECT id FROM sign_ins WHERE id < 5 ORDER BY id DESC", false),
        ("SELECT max(id) FROM sign_ins WHERE teamspace_id = 'x'", false),
        ("SELECT kid FROM signing_keys ORDER BY kid", false),
    ] {
        assert_eq!(!faults(&app, statement).is_empty(), is_found, "{statement}");
    }
}
