//! The value of a policy when the assertion leaves a claim out.

use std::collections::BTreeSet;

use cedar_policy::PrincipalConstraint;
use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};

use super::read::PolicyParts;
use crate::policy::engine::reads::names_groups;
use crate::policy::facts::is_group;
use crate::policy::validate::vocabulary::{Attribute, Type};

/// The claim for the person's groups.
pub(super) const GROUPS: &str = "groups";

/// The record of the custom claims.
const CUSTOM: &str = "custom";

/// The claims that come from one claim of the assertion, so that either all are absent or none.
const EMAIL: [&str; 2] = ["email", "email_domain"];

/// The optional claims that a policy reads. The person's groups are included if a schema says that they can be absent.
pub(super) fn claims_read(read: &PolicyParts<'_, '_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (condition, _) in read.conditions() {
        collect_claims(&condition, &mut found);
    }
    if in_groups(&read.placed.policy.principal_constraint()) {
        found.insert(GROUPS.to_owned());
    }
    let declared = read.head.actions.iter().filter_map(|(_, words)| words.context.get("claims"));
    let optional: Vec<String> = declared.flat_map(|claims| optional_claims(&claims.kind)).collect();
    found.retain(|name| optional.contains(name));
    found
}

/// The claims that may be absent, as a policy writes them after `context.claims.`.
fn optional_claims(claims: &Type) -> Vec<String> {
    let Type::Record { record, .. } = claims else { return Vec::new() };
    let of = |(name, claim): (&String, &Attribute)| match (&claim.kind, claim.required) {
        (_, false) => vec![name.clone()],
        (custom, true) if name == CUSTOM => {
            optional_claims(custom).iter().map(|claim| format!("{CUSTOM}.{claim}")).collect()
        }
        _ => Vec::new(),
    };
    record.iter().flat_map(of).collect()
}

fn collect_claims(expression: &Expr, found: &mut BTreeSet<String>) {
    match expression {
        Expr::HasAttr { expr, attrs } => {
            let path = path(expr).into_iter().flatten().chain(attrs.iter().map(|attr| attr.as_str()));
            let path: Vec<&str> = path.collect();
            found.extend(claim_of(&path));
        }
        Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } | Expr::Like { expr, .. } => {
            collect_claims(expr, found);
        }
        Expr::BinaryOp { left, right, .. } => {
            if is_membership(expression) {
                found.insert(GROUPS.to_owned());
            }
            collect_claims(left, found);
            collect_claims(right, found);
        }
        Expr::Is { .. } if is_membership(expression) => {
            found.insert(GROUPS.to_owned());
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            [cond, then_expr, else_expr].into_iter().for_each(|part| collect_claims(part, found));
        }
        _ => {}
    }
}

/// An absent claim, with those that are then absent as well.
pub(super) struct Absent<'c> {
    claims: Vec<&'c str>,
}

impl<'c> Absent<'c> {
    pub fn of(claim: &'c str) -> Self {
        let claims = if EMAIL.contains(&claim) { EMAIL.to_vec() } else { vec![claim] };
        Self { claims }
    }

    /// Whether the policy matches; none if that depends on something else.
    pub fn matches(&self, read: &PolicyParts<'_, '_>) -> Option<bool> {
        if self.claims.contains(&GROUPS) && in_groups(&read.placed.policy.principal_constraint()) {
            return Some(false);
        }
        let mut all = Some(true);
        for (condition, wanted) in read.conditions() {
            match self.holds(&condition) {
                Some(holds) if holds != wanted => return Some(false),
                Some(_) => {}
                None => all = None,
            }
        }
        all
    }

    /// Whether a condition holds; none if that depends on something else.
    pub fn holds(&self, expression: &Expr) -> Option<bool> {
        match expression {
            Expr::Literal(Literal::Bool(value)) => Some(*value),
            Expr::HasAttr { expr, attrs } => {
                let path = path(expr)?.into_iter().chain(attrs.iter().map(|attr| attr.as_str()));
                let path: Vec<&str> = path.collect();
                let claim = claim_of(&path)?;
                self.claims.contains(&claim.as_str()).then_some(false)
            }
            Expr::UnaryOp { op: UnaryOp::Not, expr } => Some(!self.holds(expr)?),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                match (self.holds(left), self.holds(right)) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), other) | (other, Some(true)) => other,
                    (None, None) => None,
                }
            }
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => match (self.holds(left), self.holds(right)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), other) | (other, Some(false)) => other,
                (None, None) => None,
            },
            Expr::IfThenElse { cond, then_expr, else_expr } => match self.holds(cond) {
                Some(true) => self.holds(then_expr),
                Some(false) => self.holds(else_expr),
                None => self.holds(then_expr).filter(|holds| self.holds(else_expr) == Some(*holds)),
            },
            _ if self.claims.contains(&GROUPS) && is_membership(expression) => Some(false),
            _ => None,
        }
    }
}

/// The claim that a path from the context leads to or passes.
fn claim_of(path: &[&str]) -> Option<String> {
    match path {
        ["claims", record, claim, ..] if *record == CUSTOM => Some(format!("{CUSTOM}.{claim}")),
        ["claims", claim, ..] => Some((*claim).to_owned()),
        _ => None,
    }
}

/// The names of an attribute's path from the context.
fn path(expression: &Expr) -> Option<Vec<&str>> {
    match expression {
        Expr::Var(Var::Context) => Some(Vec::new()),
        Expr::GetAttr { expr, attr } => {
            let mut names = path(expr)?;
            names.push(attr);
            Some(names)
        }
        _ => None,
    }
}

/// Whether an expression asks about the person's groups: a person without groups is in none.
fn is_membership(expression: &Expr) -> bool {
    let (of, within) = match expression {
        Expr::BinaryOp { op: BinaryOp::In, left, right } => (left, right),
        Expr::Is { expr, in_expr: Some(parent), .. } => (expr, parent),
        _ => return false,
    };
    matches!(**of, Expr::Var(Var::Principal)) && names_groups(within)
}

fn in_groups(constraint: &PrincipalConstraint) -> bool {
    match constraint {
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => is_group(uid),
        _ => false,
    }
}
