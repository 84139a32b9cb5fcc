//! `countersign policy explain`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::explain_text as text;
use super::explain_token::{TokenArgs, explain_token};
use super::revision::past_set;
use super::{Format, PolicyArgs, render};
use crate::app::App;
use crate::cli::{CommandError, CommandResult, End, block_on};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::config::Database;
use crate::exchange::explain::{ExplainRequest, explain};
use crate::oauth::authorization_details;
use crate::oauth::scope::split_scope;
use crate::policy::authoring::cases::{self, Case};
use crate::policy::engine::compare::differences;
use crate::policy::{self, Policies, PolicyAnswer, PolicyPlace, RecordedFacts};
use crate::request_id;
use crate::store::Store;
use crate::store::sign_ins::{self, SignIn};
use crate::terminal::out::{self, say};

pub(super) const HELP: &str = "\
Examples:
  countersign policy explain \"the last seat\"           a test case, by its name or a part of it
  countersign policy explain \"the last seat\" --all     the same, and why every other policy did not apply
  countersign policy explain 4711                      a sign-in of the decision log, under today's policies
  countersign policy explain nqQ3xF0yT2mZb81R          the same, by the X-Request-Id of the answer
  countersign policy explain 4711 --set CNkNLyVK       the same, under a set that was in force once
  countersign policy explain 4711 --tool delete_page   may its token call this tool?
  countersign policy explain --assertion id-jag.txt --client-id claude-code
Exit: 0 it passes, or comes out as it did then, or the tool is allowed; 1 it does not; 2 it could not be read";

#[derive(Debug, Args)]
pub(in crate::cli) struct Explain {
    /// Name of a test case or a part of it, or the id or request id of a sign-in. One request id in 64 begins with a
    /// hyphen.
    #[arg(value_name = "CASE|SIGN-IN", allow_hyphen_values = true, required_unless_present = "assertion")]
    what: Option<String>,
    /// File with an assertion as a client would send it. It is verified but not redeemed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "with", "tests"], requires = "client_id")]
    assertion: Option<PathBuf>,
    /// Client that would redeem the assertion.
    #[arg(long, value_name = "ID", requires = "assertion", conflicts_with = "what")]
    client_id: Option<String>,
    /// The request's scope parameter.
    #[arg(long, value_name = "SCOPES", requires = "assertion", conflicts_with = "what")]
    scope: Option<String>,
    /// The request's resource parameter.
    #[arg(long, value_name = "URI", requires = "assertion", conflicts_with = "what")]
    resource: Option<String>,
    /// The request's authorization_details parameter, a JSON array.
    #[arg(long, value_name = "JSON", requires = "assertion", conflicts_with = "what")]
    authorization_details: Option<String>,
    /// The client proves that it has a key (DPoP), also where the assertion names none.
    #[arg(long, requires = "assertion", conflicts_with = "what")]
    key_bound: bool,
    /// Directory of *.cedar files [default: the policies in force, by `policy_dir` of the configuration].
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Schema file [default: the schema in force, by `schema_file` of the configuration].
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Policy file to treat as if it were in the directory; may be repeated.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// A set that was in force, by its hash in the decision log or the beginning of it, in place of a directory. The
    /// hash is base64url and may begin with a hyphen.
    #[arg(long, value_name = "HASH", allow_hyphen_values = true, conflicts_with_all = ["policies", "schema", "assertion"])]
    set: Option<String>,
    /// Case file, or directory of case files [default: tests/ in the policy directory].
    #[arg(long, value_name = "PATH")]
    tests: Option<PathBuf>,
    #[command(flatten)]
    token: TokenArgs,
    /// Also explain why each of the other policies did not apply, and list the person's groups.
    #[arg(long)]
    all: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Explain {
    pub(super) fn run(mut self, file: Option<&Path>) -> CommandResult {
        let Some(what) = self.what.take() else {
            return block_on(self.explain_assertion(Config::load(file)?));
        };
        let (format, all, tests) = (self.format, self.all, self.tests.take());
        let (source, dir) = match &self.set {
            None => PolicyArgs { dir: self.policies, schema: self.schema }.source(&self.with, file)?,
            Some(hash) => {
                let config = Config::load(file)?;
                let kept = block_on(past_set(&config.database_url, hash))?;
                (kept.with(&self.with).map_err(render)?, PolicyPlace::of_policies(&config))
            }
        };
        let policies = source.compile(0).map_err(render)?;
        let is_number = what.parse::<i64>().is_ok();
        let tests = tests.map_or_else(|| dir.join("tests"), PolicyPlace::Path);
        let asked = self.token.question();
        if !is_number
            && asked.is_none()
            && let Some(case) = find_case(&tests, &what)?
        {
            return explain_case(&case, &policies, all, format);
        }
        let no_case = format!("no case in {} is named so", tests.shown().display());
        if !is_number && !request_id::is_possible(&what) {
            return Err(no_case.into());
        }
        let found = block_on(find_sign_in(&Config::load(file)?.database_url, what));
        let row = found.map_err(|CommandError(why)| match is_number {
            true => why,
            false => format!("{no_case}, and {why}"),
        })?;
        match asked {
            Some(asked) => explain_token(&row, asked, &policies, all, format),
            None => explain_sign_in(&row, &policies, all, format),
        }
    }

    async fn explain_assertion(self, mut config: Config) -> CommandResult {
        let path = self.assertion.ok_or("no assertion")?;
        let read = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        config.policy_dir = self.policies.or(config.policy_dir);
        config.schema_file = self.schema.or(config.schema_file);
        let scope = self.scope.as_deref().map(split_scope).transpose();
        let scope = scope.map_err(|_| "--scope is no list of scopes")?;
        let details = self.authorization_details.as_deref().map(authorization_details::parse).transpose();
        let details = details.map_err(|fault| format!("--authorization-details: {fault}"))?;
        let app = App::inspect(config, Arc::new(SystemClock)).await.map_err(super::cannot_start)?;
        let asked = ExplainRequest {
            assertion: read.trim(),
            client_id: &self.client_id.unwrap_or_default(),
            scope: scope.as_deref(),
            resource: self.resource.as_slice(),
            details: details.as_deref(),
            key_bound: self.key_bound,
            teamspace_id: None,
            confined: false,
            all: self.all,
        };
        let explanation = explain(&app, &asked).await;
        match self.format {
            Format::Json => out::json(&explanation)?,
            Format::Human => out::text(text::explanation(&explanation)),
        }
        Ok(if explanation.error.is_none() { End::Fine } else { End::Finding })
    }
}

/// Finds the case with this name, or the one case whose name contains it. Several matches are an error.
fn find_case(tests: &PolicyPlace, name: &str) -> Result<Option<Case>, CommandError> {
    let all = cases::read(tests)?;
    let mut found: Vec<&Case> = all.iter().filter(|case| case.name == name).collect();
    if found.is_empty() {
        let name = name.to_lowercase();
        found = all.iter().filter(|case| case.name.to_lowercase().contains(&name)).collect();
    }
    match found.as_slice() {
        [] => Ok(None),
        [case] => Ok(Some((*case).clone())),
        several => {
            let place = |case: &&Case| format!("\n  {}:{}  {}", case.file.display(), case.line, case.name);
            let places: String = several.iter().map(place).collect();
            Err(format!("several cases are named so; --tests can narrow them to a file:{places}").into())
        }
    }
}

async fn find_sign_in(url: &str, key: String) -> Result<SignIn, CommandError> {
    let wanted = key.clone();
    let row = Store::open(url, &Database::default())?.read(move |c| sign_ins::find(c, &wanted)).await?;
    row.ok_or_else(|| format!("the decision log has no sign-in {key}").into())
}

fn explain_case(case: &Case, policies: &Policies, all: bool, format: Format) -> CommandResult {
    let verdict = cases::run(&policies.compiled, case);
    let decisions = cases::explain_case(&policies.compiled, case);
    let not_applied = if all { cases::not_applied_to(&policies.compiled, case, &decisions) } else { None };
    match format {
        Format::Json => {
            let told = json!({
                "case": case.name, "file": case.file, "line": case.line, "policy_set": policies.hash,
                "decisions": decisions, "outcome": verdict.observed.summary(), "failures": verdict.failures,
            });
            out::json(text::with_not_applied(told, not_applied.as_ref())?)?;
        }
        Format::Human => {
            say!("{} ({}:{})\n", case.name, case.file.display(), case.line);
            out::text(text::decisions(&decisions));
            not_applied.iter().for_each(|told| out::text(format_args!("\n{}", text::not_applied(told))));
            say!("\n{}", verdict.observed.summary());
            verdict.failures.iter().for_each(|failure| say!("✗ {failure}"));
        }
    }
    Ok(if verdict.failures.is_empty() { End::Fine } else { End::Finding })
}

fn explain_sign_in(row: &SignIn, policies: &Policies, all: bool, format: Format) -> CommandResult {
    let Ok(recorded) = serde_json::from_str::<RecordedFacts>(&row.facts) else {
        return tell_undecided(row, format);
    };
    let then: Vec<PolicyAnswer> = serde_json::from_str(&row.decisions)?;
    let facts = recorded.recall(&policies.compiled);
    let (decisions, _) = policy::explain(&policies.compiled, &facts);
    let not_applied = all.then(|| policy::not_applied(&policies.compiled, &facts, &decisions, |_| true));
    let now: Vec<PolicyAnswer> = decisions.iter().map(|explained| explained.answer.clone()).collect();
    let changed = differences(&then, &now);
    match format {
        Format::Json => {
            let told = json!({
                "sign_in": text::sign_in(row), "then": then, "policy_set": policies.hash,
                "now": decisions, "differences": changed,
            });
            out::json(text::with_not_applied(told, not_applied.as_ref())?)?;
        }
        Format::Human => {
            out::text(text::sign_in_head(row));
            say!("\nUnder policy set {}:\n", policies.hash);
            out::text(text::decisions(&decisions));
            not_applied.iter().for_each(|told| out::text(format_args!("\n{}", text::not_applied(told))));
            out::text(format_args!("\n{}", text::differences(&changed)));
        }
    }
    Ok(if changed.is_empty() { End::Fine } else { End::Finding })
}

/// Explains a request that was refused before policies were asked, or recorded before facts were kept.
fn tell_undecided(row: &SignIn, format: Format) -> CommandResult {
    match format {
        Format::Json => out::json(json!({ "sign_in": text::sign_in(row), "now": null }))?,
        Format::Human => {
            out::text(text::sign_in_head(row));
            say!("\nNo policy was asked then, or its facts were not recorded: nothing to replay.");
        }
    }
    Ok(End::Fine)
}
