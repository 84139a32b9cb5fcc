//! Why a policy matched or did not: its conditions clause by clause, with the values that they read.

use std::collections::BTreeMap;

use cedar_policy::pst::{BinaryOp, Clause as PstClause, Expr};
use cedar_policy::{Effect, Entities, EvalResult, Expression, ParseErrors, Policy, Request, eval_expression};
use serde::Serialize;

use super::constraints;

/// One policy's part in the answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyFinding {
    /// The policy's `@id`.
    pub policy: String,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// Whether the policy applied to the request.
    pub matched: bool,
    /// The policy's `@message` for refusals; none if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The clauses in order, up to the one that settled the matter; or the part of the head that the request does not
    /// fit.
    pub clauses: Vec<Clause>,
}

/// The most characters of a clause and of a value: they are for people to read.
const MAX_TEXT: usize = 2000;

/// A part of a condition, as joined to the others by `&&`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// `when`; `unless`, which keeps a policy from matching when all of its clauses hold; `principal`, `action` or
    /// `resource`, a part of the head.
    pub kind: &'static str,
    /// The clause as it is written.
    pub text: String,
    /// None: it could not be evaluated.
    pub holds: Option<bool>,
    /// Why it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The facts that it read; `absent` marks an optional fact that is missing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

impl PolicyFinding {
    /// Compares a policy's head with the request, and evaluates its conditions.
    pub fn of(policy: &Policy, request: &Request, entities: &Entities) -> Self {
        let (matched, clauses) = match constraints::unmet(policy, request, entities) {
            Some(part) => (false, vec![Clause::of_head(part.variable(), part.text())]),
            None => conditions(policy, request, entities),
        };
        Self::new(policy, matched, clauses)
    }

    pub(in crate::policy) fn new(policy: &Policy, matched: bool, clauses: Vec<Clause>) -> Self {
        Self {
            policy: policy.id().to_string(),
            effect: if policy.effect() == Effect::Permit { "permit" } else { "forbid" },
            matched,
            message: policy.annotation("message").map(str::to_owned),
            clauses,
        }
    }

    /// The clause that settled the matter: if the policy did not match, the last one evaluated.
    pub fn telling(&self) -> Option<&Clause> {
        let unmet = || self.clauses.iter().find(|clause| clause.holds != Some(true));
        if self.matched { unmet().or(self.clauses.last()) } else { self.clauses.last() }
    }
}

impl Clause {
    /// A part of a head that the request does not fit.
    pub(in crate::policy) fn of_head(kind: &'static str, text: String) -> Self {
        Self { kind, text: shortened(text), holds: Some(false), error: None, values: BTreeMap::new() }
    }
}

/// Whether a policy with a fitting head matches, and the clauses up to the one that settles it.
fn conditions(policy: &Policy, request: &Request, entities: &Entities) -> (bool, Vec<Clause>) {
    let conditions = policy.to_pst().map(|pst| pst.body().clauses().to_vec()).unwrap_or_default();
    let mut clauses = Vec::new();
    for condition in &conditions {
        let (kind, expression, wanted) = match condition {
            PstClause::When(expression) => ("when", expression, true),
            PstClause::Unless(expression) => ("unless", expression, false),
        };
        if evaluate(kind, expression, request, entities, &mut clauses) != Some(wanted) {
            return (false, clauses);
        }
    }
    (true, clauses)
}

fn shortened(text: impl ToString) -> String {
    let text = text.to_string();
    match text.char_indices().nth(MAX_TEXT) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// Evaluates the parts of a condition up to the first that does not hold, as Cedar does.
fn evaluate(
    kind: &'static str,
    expression: &Expr,
    request: &Request,
    entities: &Entities,
    clauses: &mut Vec<Clause>,
) -> Option<bool> {
    let mut parts = Vec::new();
    conjuncts(expression, &mut parts);
    for part in parts {
        let (holds, error) = match value(part, request, entities) {
            Ok(EvalResult::Bool(holds)) => (Some(holds), None),
            Ok(other) => (None, Some(shortened(format!("{other} is neither true nor false")))),
            Err(error) => (None, Some(shortened(error))),
        };
        let mut paths = Vec::new();
        paths_in(part, &mut paths);
        let values = paths.into_iter().map(|path| {
            let value = value(path, request, entities);
            (shortened(path), value.map_or_else(|_| "absent".to_owned(), shortened))
        });
        clauses.push(Clause { kind, text: shortened(part), holds, error, values: values.collect() });
        if holds != Some(true) {
            return holds;
        }
    }
    Some(true)
}

fn conjuncts<'a>(expression: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match expression {
        Expr::BinaryOp { op: BinaryOp::And, left, right } => {
            conjuncts(left, parts);
            conjuncts(right, parts);
        }
        other => parts.push(other),
    }
}

/// An expression's value, or why it has none.
fn value(expression: &Expr, request: &Request, entities: &Entities) -> Result<EvalResult, String> {
    let parsed: Expression = expression.to_string().parse().map_err(|e: ParseErrors| e.to_string())?;
    eval_expression(request, entities, &parsed).map_err(|e| e.to_string())
}

/// The facts that an expression reads: attribute paths, and variables used on their own.
fn paths_in<'a>(expression: &'a Expr, paths: &mut Vec<&'a Expr>) {
    match expression {
        Expr::Var(_) | Expr::GetAttr { .. } => paths.push(expression),
        Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } | Expr::Is { expr, .. } => {
            paths_in(expr, paths);
        }
        Expr::BinaryOp { left, right, .. } => {
            paths_in(left, paths);
            paths_in(right, paths);
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            for part in [cond, then_expr, else_expr] {
                paths_in(part, paths);
            }
        }
        Expr::Set(items) => items.iter().for_each(|item| paths_in(item, paths)),
        // A `has` shows by its own text what is missing; constants read no facts.
        _ => {}
    }
}
