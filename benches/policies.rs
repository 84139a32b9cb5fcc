//! The cost of policies: many of them, testing and changing them, and trying others: `cargo bench --bench policies`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a benchmark ends"
)]
#![allow(missing_docs, reason = "criterion makes a public function")]

mod shared;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use countersign::config::PolicyCache;
use countersign::policy::authoring::cases;
use countersign::policy::reload::{PolicyFiles, Watch};
use countersign::policy::{
    CacheControl, Policies, PolicySource, RecordedFacts, TokenFacts, ToolQuestion, decide, decide_tool,
};
use countersign::shadow::{ActualDecision, Shadow};
use countersign::store::sign_ins::NewSignIn;
use criterion::{Criterion, criterion_group, criterion_main};
use shared::facts;

const NOW: i64 = 1_795_348_800;
const SCHEMA: &str = "schema/countersign.cedarschema";

/// The shipped policies, and one of its own for each of so many teamspaces, 100 in a file.
fn directory(teamspaces: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
        std::fs::copy(Path::new("policies").join(name), dir.path().join(name)).unwrap();
    }
    for first in (0..teamspaces).step_by(100) {
        let mut text = String::new();
        for i in first..teamspaces.min(first + 100) {
            write!(
                text,
                "@id(\"t{i}.write\") @reason(\"group_required\") @error(\"invalid_scope\") @message(\"For editors.\")
                 forbid (principal, action == Action::\"GrantScope\", resource in Teamspace::\"t{i}\")
                 when {{ resource == Scope::\"docs.write\" }} unless {{ principal in Group::\"t{i}/editors\" }};\n"
            )
            .unwrap();
        }
        std::fs::write(dir.path().join(format!("teamspaces-{first:05}.cedar")), text).unwrap();
    }
    dir
}

fn place(dir: &Path) -> PolicyFiles {
    PolicyFiles { dir: dir.into(), schema: Path::new(SCHEMA).into(), with_cases: false }
}

fn reload(c: &mut Criterion) {
    let dir = directory(1000);
    let mut watch = Watch::new(place(dir.path()));
    c.bench_function("reload: 1,000 policies, read and compiled", |b| {
        b.iter(|| watch.force_reload(NOW).unwrap())
    });
    let (mut watch, _) = Watch::begin(place(dir.path()), NOW).unwrap();
    c.bench_function("a look at them when nothing has changed", |b| b.iter(|| watch.look(NOW).is_none()));
}

fn load(dir: &Path) -> Policies {
    PolicySource::read(dir, Path::new(SCHEMA)).and_then(|source| source.compile(NOW)).unwrap()
}

/// Eleven questions beside so many policies of other teamspaces.
fn decisions(c: &mut Criterion) {
    let scopes: Vec<String> = (1..=8).map(|n| format!("docs.s{n}")).collect();
    let mut facts = facts();
    facts.claims.scopes = Some(scopes.clone());
    facts.candidates.scopes = scopes;
    for unrelated in [0, 10_000] {
        let policies = load(directory(unrelated).path());
        assert_eq!(decide(&policies.compiled, &facts).answers.len(), 11);
        c.bench_function(&format!("decide: 8 scopes, 11 questions, {unrelated} unrelated policies"), |b| {
            b.iter(|| decide(&policies.compiled, black_box(&facts)).outcome.unwrap())
        });
    }
}

/// The shipped cases, as often as it takes to be a hundred; reading their files is measured too.
fn case_files(c: &mut Criterion) {
    let policies = load(Path::new("policies"));
    let read = || cases::read(Path::new("policies/tests")).unwrap();
    let all: Vec<_> = read().into_iter().cycle().take(100).collect();
    c.bench_function("policy test: 100 cases", |b| {
        b.iter(|| all.iter().filter(|case| cases::run(&policies.compiled, case).failures.is_empty()).count())
    });
    c.bench_function("policy test: reading the shipped case files", |b| b.iter(|| read().len()));
}

fn shadow(c: &mut Criterion) {
    let (policies, facts) = (load(Path::new("policies")), facts());
    let sign_in = NewSignIn { at: NOW, ..NewSignIn::default() };
    let shadow = Shadow::new(place(Path::new("policies")));
    let answer = |shadow: Option<&Shadow>| {
        let decision = decide(&policies.compiled, black_box(&facts));
        let decided = ActualDecision { policies: &policies, facts: &facts, decision: &decision };
        if let Some(shadow) = shadow {
            shadow.compare(&decided, &sign_in);
        }
        decision
    };
    c.bench_function("decide, shadow off", |b| b.iter(|| answer(None)));
    shadow.set(load(Path::new("policies")).into());
    c.bench_function("decide, shadow on", |b| b.iter(|| answer(Some(&shadow))));
}

/// A question about a token: remembered, and each second anew where a policy reads the age of the sign-in.
fn tools(c: &mut Criterion) {
    let example = std::fs::read_to_string("policies/examples/delete-tools.cedar").unwrap();
    let dir = directory(0);
    std::fs::copy("policies/tools.cedar", dir.path().join("tools.cedar")).unwrap();
    std::fs::write(dir.path().join("delete-tools.cedar"), example).unwrap();
    let policies = load(dir.path());
    let control = CacheControl::new(PolicyCache { recheck_one_in: 0, ..PolicyCache::default() });
    let scopes = vec!["docs.read".to_owned()];
    let token = TokenFacts::recorded(&RecordedFacts::whole(&facts()), &*policies.hash, scopes).unwrap();
    let mut ask = |name: &str, asked: ToolQuestion<'_>, seconds: i64| {
        let mut now = NOW;
        c.bench_function(name, |b| {
            b.iter(|| {
                now += seconds;
                decide_tool(&policies, black_box(&token), black_box(asked), now, &control)
            })
        });
    };
    ask("decide about a tool, remembered", ToolQuestion::List, 1);
    ask("decide about a tool, anew", ToolQuestion::Call("delete_page"), 1);
}

criterion_group!(benches, decisions, tools, case_files, reload, shadow);
criterion_main!(benches);
