//! Turns rows and fixtures into cases: facts, and the expected outcome.

use toml::Spanned;

use super::file::{CaseFile, CaseRow, Claims, Client, Fixtures, Layer, Request, Server, Stated, Teamspace};
use super::kind::CaseKind;
use super::token::TokenQuestions;
use super::written::{OneOrMore, fact};
use super::{Case, Matter};
use crate::email::domain_of;
use crate::model::member::Role;
use crate::model::resource::{Resource, ResourceScope};
use crate::model::scope::ScopeRequest;
use crate::model::teamspace::UTC;
use crate::oauth::authorization_details::{Detail, DetailCandidates, DetailSource, check_places};
use crate::oauth::error::TokenError;
use crate::oauth::scope::{Candidates, split_scope};
use crate::policy::Denial;
use crate::policy::facts::{
    ClaimFacts, ClientFacts, ConfigurationFacts, Facts, MemberFacts, OptionalClaim, ResourceFacts,
    TeamspaceFacts, claim_facts, client_facts, request_facts, teamspace_facts,
};

/// The time in cases that state none: a Monday, 12:00 UTC.
const NOON: i64 = 1_767_614_400;
/// Deepest chain of fixtures.
const MAX_LAYERS: usize = 16;

type ResolveResult<T> = Result<T, String>;

/// The facts of one kind that a case states.
macro_rules! stated {
    (
        [$struct:ident { $($given:ident: $value:expr),* $(,)? } from $stated:expr]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        $struct { $($given: $value,)* $($name: fact($stated.$case.clone()),)* }
    };
}

/// A file, and the fixtures that all files of the directory share.
pub(super) struct CaseResolver<'a> {
    pub own: &'a CaseFile,
    pub shared: &'a CaseFile,
}

impl CaseResolver<'_> {
    /// The cases of a test: the test itself, or one for each row. Each mistake comes with its byte offset.
    pub(super) fn cases(&self, test: &Spanned<CaseRow>) -> Vec<Result<Case, (usize, String)>> {
        let (at, test) = (test.span().start, test.get_ref());
        let Some(name) = &test.name else { return vec![Err((at, "a test needs a name".to_owned()))] };
        if test.each.is_empty() {
            return vec![self.case(test, name.clone(), at).map_err(|message| (at, message))];
        }
        let row = |(index, row): (usize, &Spanned<CaseRow>)| {
            let (at, row) = (row.span().start, row.get_ref());
            let own = row.name.clone().unwrap_or_else(|| format!("row {}", index + 1));
            if !row.each.is_empty() {
                return Err((at, "a row of `each` cannot have rows itself".to_owned()));
            }
            let whole = row.clone().over(test);
            self.case(&whole, format!("{name}: {own}"), at).map_err(|message| (at, message))
        };
        test.each.iter().enumerate().map(row).collect()
    }

    fn case(&self, row: &CaseRow, name: String, offset: usize) -> ResolveResult<Case> {
        let expect = row.expect.clone().ok_or("nothing is expected; add `expect = { … }`")?;
        let kind = CaseKind::of(row)?;
        kind.check(&expect)?;
        let matter = match kind {
            CaseKind::Issuer(issuer) => self.configuration(row, issuer)?,
            CaseKind::Console(actions) => self.console(row, actions)?,
            CaseKind::Token => self.token(row)?,
            CaseKind::Exchange => self.exchange(row)?,
        };
        Ok(Case { name, file: std::path::PathBuf::new(), line: 0, offset, matter, expect })
    }

    fn configuration(&self, row: &CaseRow, issuer: &str) -> ResolveResult<Matter> {
        let teamspace = teamspace_facts(&self.teamspace(row)?)?;
        let now = row.now.map_or(NOON, |now| now.0);
        Ok(Matter::Configuration(ConfigurationFacts { now, issuer: issuer.to_owned(), teamspace }))
    }

    fn console(&self, row: &CaseRow, actions: &OneOrMore) -> ResolveResult<Matter> {
        let Stated(who) = row.who.clone().ok_or("nobody wants it; add `who = \"…\"`")?;
        let who = resolve(who, [&self.own.who, &self.shared.who], "who")?;
        let teamspace =
            row.teamspace.is_some().then(|| teamspace_facts(&self.teamspace(row)?)).transpose()?;
        Ok(Matter::Console(super::console::questions(
            who,
            actions,
            row.now.map_or(NOON, |now| now.0),
            teamspace,
        )?))
    }

    fn token(&self, row: &CaseRow) -> ResolveResult<Matter> {
        Ok(match self.exchange(row)? {
            Matter::Exchange(sign_in) => Matter::Token(Box::new(TokenQuestions::of(row, *sign_in)?)),
            other => other,
        })
    }

    fn exchange(&self, row: &CaseRow) -> ResolveResult<Matter> {
        let teamspace = self.teamspace(row)?;
        let stated = self.claims(row)?;
        let claims = claim_facts(&stated, &teamspace)?;
        let request = row.request.clone().unwrap_or_default();
        let resource = self.resource(&teamspace, &claims, &request)?;
        let requested = request.scope.as_deref().map(scopes).transpose()?;
        let teamspace_facts = teamspace_facts(&teamspace)?;
        if teamspace_facts.scope_setting.is_none() && claims.not_known.contains(&OptionalClaim::Scope) {
            return Ok(Matter::Unfit(Denial::not_known()));
        }
        let resource = match resource.scopes.is_empty() {
            // No scopes are stated, so it has every scope that is named.
            true => with_scopes(resource, [&claims.scopes, &requested, &teamspace_facts.scope_setting]),
            false => resource,
        };
        let asked = ScopeRequest {
            claimed: claims.scopes.as_deref(),
            requested: requested.as_deref(),
            setting: teamspace_facts.scope_setting.as_deref(),
            resource: &resource,
        };
        let details = DetailPair::of(&stated, &request);
        let candidates = asked.candidates().and_then(|candidates| {
            Ok(Candidates { details: details.candidates(&resource.identifier)?, ..candidates })
        });
        let candidates = match candidates {
            Ok(candidates) => candidates,
            Err(error) => return Ok(Matter::Unfit(Denial::of(error.code, error.reason, error.description))),
        };
        Ok(Matter::Exchange(Box::new(request_facts!(stated Facts {
            now: row.now.map_or(NOON, |now| now.0),
            client: client_facts(&self.client(row)?),
            member: member_facts(row, &teamspace)?,
            resource: ResourceFacts {
                published: teamspace.servers.unwrap_or_default().contains(&resource.identifier),
                identifier: resource.identifier,
                default_scopes: resource.default_scopes,
            },
            teamspace: teamspace_facts,
            claims: claims,
            candidates: Candidates { requested, ..candidates },
        } from row))))
    }

    fn teamspace(&self, row: &CaseRow) -> ResolveResult<Teamspace> {
        let Stated(stated) = row.teamspace.clone().ok_or("no teamspace; add `teamspace = \"…\"`")?;
        resolve(stated, [&self.own.teamspace, &self.shared.teamspace], "teamspace")
    }

    fn claims(&self, row: &CaseRow) -> ResolveResult<Claims> {
        let Stated(stated) = row.claims.clone().ok_or("no claims; add `claims = \"…\"`")?;
        resolve(stated, [&self.own.claims, &self.shared.claims], "claims")
    }

    fn client(&self, row: &CaseRow) -> ResolveResult<Client> {
        let Stated(stated) = row.client.clone().unwrap_or(Stated(Client::default()));
        resolve(stated, [&self.own.client, &self.shared.client], "client")
    }

    /// The server that the token would be for: the request's, or else the assertion's, or else the teamspace's only
    /// one.
    fn resource(
        &self,
        teamspace: &Teamspace,
        claims: &ClaimFacts,
        request: &Request,
    ) -> ResolveResult<Resource> {
        let offered = teamspace.servers.as_deref().unwrap_or_default();
        let named = match (&request.resource, claims.resources.as_slice(), offered) {
            (Some(named), _, _) | (None, [named], _) | (None, [], [named]) => named,
            (None, [], _) => {
                return Err(
                    "which MCP server? the claims name none, and the teamspace has not just one".into()
                );
            }
            (None, _, _) => {
                return Err(
                    "the claims name several resources: choose with request = { resource = … }".into()
                );
            }
        };
        let known = self.own.server.iter().chain(&self.shared.server);
        let mut server = Server { identifier: Some(named.clone()), ..Server::default() };
        for (name, fixture) in known {
            let all = [&self.own.server, &self.shared.server];
            let candidate = resolve(fixture.get_ref().clone().called(name), all, "server")?;
            if candidate.identifier.as_ref() == Some(named) {
                server = candidate;
                break;
            }
        }
        Ok(resource_of(named, &server))
    }
}

/// A stated layer on top of the fixtures that it extends.
fn resolve<T: Layer>(stated: T, fixtures: [&Fixtures<T>; 2], kind: &str) -> ResolveResult<T> {
    let mut layer = stated;
    for _ in 0..MAX_LAYERS {
        if let Some(unknown) = layer.without().iter().find(|name| !T::fields().contains(&name.as_str())) {
            return Err(format!("`without` names `{unknown}`, which {kind} does not have"));
        }
        let Some(name) = layer.take_base() else { return Ok(layer) };
        let Some(base) = fixtures.iter().find_map(|known| known.get(&name)) else {
            let known: Vec<&str> = fixtures.iter().flat_map(|f| f.keys()).map(String::as_str).collect();
            let others = match known.as_slice() {
                [] => format!(", and no other fixture of {kind}"),
                known => format!("; there is: {}", known.join(", ")),
            };
            return Err(format!("there is no [{kind}.{name}]{others}"));
        };
        layer = layer.over(base.get_ref().clone().called(&name));
    }
    Err(format!("a {kind} fixture extends itself, or more than {MAX_LAYERS} others"))
}

/// Applies a row to its test: the keys it has, and the facts about the request.
macro_rules! over {
    (
        [$row:expr, $test:expr, { $($given:ident: $value:expr),* $(,)? }]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        CaseRow { $($given: $value,)* $($case: $row.$case.or_else(|| $test.$case.clone()),)* }
    };
}

impl CaseRow {
    /// Applies a row of `each` to its test. A row that begins with its own fixture takes nothing from the test's
    /// table.
    fn over(self, test: &Self) -> Self {
        let request = match (self.request, &test.request) {
            (Some(own), Some(of_test)) => Some(Request {
                scope: own.scope.or_else(|| of_test.scope.clone()),
                resource: own.resource.or_else(|| of_test.resource.clone()),
                authorization_details: own
                    .authorization_details
                    .or_else(|| of_test.authorization_details.clone()),
            }),
            (own, of_test) => own.or_else(|| of_test.clone()),
        };
        request_facts!(over self, test, {
            name: None,
            teamspace: stacked(self.teamspace, &test.teamspace),
            claims: stacked(self.claims, &test.claims),
            client: stacked(self.client, &test.client),
            request: request,
            member: self.member.or(test.member),
            member_email: self.member_email.or_else(|| test.member_email.clone()),
            member_role: self.member_role.or(test.member_role),
            linking: self.linking.or(test.linking),
            now: self.now.or(test.now),
            configure: self.configure.or_else(|| test.configure.clone()),
            who: stacked(self.who, &test.who),
            console: self.console.or_else(|| test.console.clone()),
            tool: self.tool.or_else(|| test.tool.clone()),
            list_tools: self.list_tools.or(test.list_tools),
            token_scopes: self.token_scopes.or_else(|| test.token_scopes.clone()),
            expect: self.expect.or_else(|| test.expect.clone()),
            each: Vec::new(),
        })
    }
}

fn stacked<T: Layer>(own: Option<Stated<T>>, of_test: &Option<Stated<T>>) -> Option<Stated<T>> {
    match (own, of_test) {
        (Some(Stated(own)), Some(Stated(base))) if !own.has_base() => Some(Stated(own.over(base.clone()))),
        (own, of_test) => own.or_else(|| of_test.clone()),
    }
}

/// The authorization details of the assertion, and of the request. Whether they fit the schemas of their types is no matter
/// of policies.
struct DetailPair<'c> {
    claimed: &'c [Detail],
    requested: Option<&'c [Detail]>,
}

impl<'c> DetailPair<'c> {
    fn of(claims: &'c Claims, request: &'c Request) -> Self {
        let claimed = claims.authorization_details.as_deref().unwrap_or_default();
        Self { claimed, requested: request.authorization_details.as_deref() }
    }

    fn candidates(&self, resource: &str) -> Result<Option<Box<DetailCandidates>>, TokenError> {
        let check = |details, source| check_places(details, resource).map_err(|fault| fault.refusal(source));
        check(self.claimed, DetailSource::Assertion)?;
        check(self.requested.unwrap_or_default(), DetailSource::Request)?;
        Ok(DetailCandidates::of(self.claimed, self.requested))
    }
}

fn teamspace_facts(stated: &Teamspace) -> ResolveResult<TeamspaceFacts> {
    let mut facts = teamspace_facts!(stated TeamspaceFacts {} from stated);
    if facts.time_zone.is_empty() {
        UTC.clone_into(&mut facts.time_zone);
    }
    if facts.slug.is_empty() { Err("the teamspace has no slug".into()) } else { Ok(facts) }
}

fn claim_facts(stated: &Claims, teamspace: &Teamspace) -> ResolveResult<ClaimFacts> {
    let mut facts = claim_facts!(stated ClaimFacts {} from stated);
    if facts.iss.is_empty() {
        let own = teamspace.issuer.clone();
        facts.iss = own.ok_or("the claims have no iss, and the teamspace no issuer")?;
    }
    if facts.sub.is_empty() {
        facts.sub = "subject".to_owned();
    }
    for claim in facts.not_known.clone() {
        match claim {
            OptionalClaim::Groups => facts.groups = None,
            OptionalClaim::Email => facts.email = None,
            OptionalClaim::EmailVerified => facts.email_verified = None,
            OptionalClaim::Scope => facts.scopes = None,
            OptionalClaim::Custom(name) => drop(facts.custom.0.remove(&name)),
        }
    }
    Ok(facts)
}

fn scopes(text: &str) -> ResolveResult<Vec<String>> {
    split_scope(text).map_err(|_| format!("`{text}` is no list of scopes"))
}

fn client_facts(stated: &Client) -> ClientFacts {
    let facts = client_facts!(stated ClientFacts {} from stated);
    match facts.client_id.is_empty() {
        true => ClientFacts { client_id: "client".to_owned(), ..facts },
        false => facts,
    }
}

fn member_facts(row: &CaseRow, teamspace: &Teamspace) -> ResolveResult<MemberFacts> {
    let linking = row.linking.unwrap_or(false);
    match row.member.and_then(super::file::CaseMembership::status) {
        Some(status) => {
            let stored = row.member_email.as_deref().and_then(domain_of);
            let email_domain = stored.map(str::to_ascii_lowercase);
            let role = Some(row.member_role.unwrap_or(Role::Developer));
            Ok(MemberFacts::Present { status, linking, email_domain, role })
        }
        None if linking => Err("`linking` needs a member".into()),
        None if row.member_email.is_some() => Err("`member_email` needs a member".into()),
        None if row.member_role.is_some() => Err("`member_role` needs a member".into()),
        None => Ok(MemberFacts::Absent {
            seats_used: teamspace.seats_used.unwrap_or(0),
            seats_limit: teamspace.seats_limit,
        }),
    }
}

fn resource_of(identifier: &str, server: &Server) -> Resource {
    let scope = |name: &String| ResourceScope { name: name.clone(), description: String::new() };
    Resource {
        id: String::new(),
        identifier: identifier.to_owned(),
        normalized: identifier.to_owned(),
        name: String::new(),
        scopes: server.scopes.iter().flatten().map(scope).collect(),
        default_scopes: server.default_scopes.clone().unwrap_or_default(),
        teamspaces: None,
        required_scopes: Vec::new(),
        forward_auth_credentials: false,
        tool_policies: false,
        dpop_bound_access_tokens: false,
        credentials: Vec::new(),
        created_at: 0,
    }
}

fn with_scopes(mut resource: Resource, named: [&Option<Vec<String>>; 3]) -> Resource {
    let named = named.into_iter().flatten().flatten().chain(&resource.default_scopes);
    resource.scopes =
        named.map(|name| ResourceScope { name: name.clone(), description: String::new() }).collect();
    resource
}
