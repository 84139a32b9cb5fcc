//! Parses text into policies, each with its place in the file.

use std::ops::Range;
use std::str::FromStr as _;

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, Schema};

use super::depth;
use super::problem::{PolicyProblem, Rule};
use super::source_file::SourceFile;

/// A word, string or sign, and its place in the file.
pub(in crate::policy) type CedarToken<'t> = (Range<usize>, &'t str);

/// A policy and where it stands.
pub(in crate::policy) struct Placed<'a> {
    pub policy: Policy,
    pub file: &'a SourceFile,
    pub span: Range<usize>,
}

impl Placed<'_> {
    /// Something about this policy.
    pub fn problem(&self, rule: Rule, message: impl ToString) -> PolicyProblem {
        PolicyProblem::at(rule, self.file, self.span.clone(), message)
    }

    /// The policy's name: its `@id`, or else its place.
    pub fn id(&self) -> PolicyId {
        self.policy.annotation("id").map_or_else(|| self.place_id(), PolicyId::new)
    }

    /// Its words, strings and signs, each with its place in the file.
    pub fn tokens(&self) -> Vec<CedarToken<'_>> {
        let text = self.file.text.get(self.span.clone()).unwrap_or_default();
        let written = |token: &str| !token.starts_with("//") && !token.trim().is_empty();
        let tokens = depth::tokens(text).filter(|(_, token)| written(token));
        tokens.map(|(at, token)| (self.span.start + at..self.span.start + at + token.len(), token)).collect()
    }

    /// The places where `has` asks for an attribute of this name, in the order of the text.
    pub fn asked_for(&self, name: &str) -> impl Iterator<Item = Range<usize>> {
        let (mut places, tokens) = (Vec::new(), self.tokens());
        let mut tokens = tokens.iter().peekable();
        while let Some((_, token)) = tokens.next() {
            if *token != "has" {
                continue;
            }
            // `has a.b.c` asks for each of them.
            while let Some((place, token)) = tokens.next() {
                if token.trim_matches('"') == name {
                    places.push(place.clone());
                }
                if tokens.next_if(|(_, token)| *token == ".").is_none() {
                    break;
                }
            }
        }
        places.into_iter()
    }

    /// The places where it names an entity.
    pub fn places_of(&self, entity: &EntityUid) -> impl Iterator<Item = Range<usize>> {
        let tokens = self.tokens();
        let named = tokens.windows(4).filter_map(|window| match window {
            [(kind, name), (_, ":"), (_, ":"), (id, text)] if text.starts_with('"') => {
                let uid = EntityUid::from_str(&format!("{name}::{text}")).ok()?;
                (uid == *entity).then_some(kind.start..id.end)
            }
            _ => None,
        });
        named.collect::<Vec<_>>().into_iter()
    }

    /// Where it stands, as an id.
    pub fn place_id(&self) -> PolicyId {
        let place = self.file.place(self.span.clone());
        PolicyId::new(format!("{}:{}:{}", self.file.name(), place.line, place.column))
    }
}

/// The schema, and what is odd about it.
pub(in crate::policy) fn schema(file: &SourceFile, problems: &mut Vec<PolicyProblem>) -> Option<Schema> {
    if let Err(problem) = depth::check(file) {
        problems.push(problem);
        return None;
    }
    let parsed = depth::with_stack(|| {
        Schema::from_cedarschema_str(&file.text)
            .map(|(schema, warnings)| (schema, warnings.collect::<Vec<_>>()))
            .map_err(Box::new)
    });
    match parsed {
        Ok((schema, warnings)) => {
            problems.extend(
                warnings.iter().map(|said| PolicyProblem::diagnosed(Rule::SchemaShadows, file, said)),
            );
            Some(schema)
        }
        Err(error) => {
            problems.push(PolicyProblem::diagnosed(Rule::SchemaInvalid, file, &*error));
            None
        }
    }
}

/// The file's policies in their order; none when it has a syntax error.
pub(in crate::policy) fn policies<'a>(
    file: &'a SourceFile,
    problems: &mut Vec<PolicyProblem>,
) -> Vec<Placed<'a>> {
    if let Err(problem) = depth::check(file) {
        problems.push(problem);
        return Vec::new();
    }
    match depth::with_stack(|| PolicySet::from_str(&file.text).map_err(Box::new)) {
        Ok(set) => place(file, &set, problems),
        Err(errors) => {
            problems.extend(errors.iter().map(|said| PolicyProblem::diagnosed(Rule::Parse, file, said)));
            Vec::new()
        }
    }
}

/// Finds each policy in the text: Cedar numbers them and keeps the text of each, with blanks and comments
/// between them.
fn place<'a>(file: &'a SourceFile, set: &PolicySet, problems: &mut Vec<PolicyProblem>) -> Vec<Placed<'a>> {
    let (mut placed, mut end) = (Vec::new(), 0);
    for number in 0.. {
        let id = PolicyId::new(format!("policy{number}"));
        let (policy, template) = (set.policy(&id), set.template(&id));
        let text = policy.and_then(Policy::to_cedar).or_else(|| template.map(|template| template.to_cedar()));
        let Some(text) = text else { break };
        let start = skip_blanks(&file.text, end);
        end = start + text.len();
        match policy {
            Some(policy) => placed.push(Placed { policy: policy.clone(), file, span: start..end }),
            None => {
                let message = "templates are not supported; write each policy out";
                problems.push(PolicyProblem::at(Rule::Template, file, start..end, message));
            }
        }
    }
    placed
}

/// Where the next token begins.
fn skip_blanks(text: &str, from: usize) -> usize {
    let mut rest = text.get(from..).unwrap_or_default().trim_start();
    while rest.starts_with("//") {
        let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
        rest = rest.get(line..).unwrap_or_default().trim_start();
    }
    text.len() - rest.len()
}
