//! Why a policy matched or did not: its conditions clause by clause, with the values they looked at.

use std::collections::BTreeMap;

use cedar_policy::pst::{BinaryOp, Clause as PstClause, Expr};
use cedar_policy::{
    Authorizer, Effect, Entities, EvalResult, Expression, Policy, PolicySet, Request, eval_expression,
};
use serde::Serialize;

/// What one policy had to say to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub policy: String,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    pub matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// In order, up to the one that settled it.
    pub clauses: Vec<Clause>,
}

/// Most characters of a clause, and of a value: they are for people to read.
const MAX_TEXT: usize = 2000;

/// A part of a condition, as it is joined to the others by `&&`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// `when`; `unless`, which keeps a policy from matching when all of its clauses hold; `scope`, the head.
    pub kind: &'static str,
    pub text: String,
    /// None: it could not be evaluated.
    pub holds: Option<bool>,
    /// What it looked at; `absent` is an optional fact that is not there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

impl Finding {
    /// Evaluates a policy's conditions.
    pub fn of(policy: &Policy, request: &Request, entities: &Entities) -> Self {
        let conditions = policy.to_pst().map(|pst| pst.body().clauses().to_vec()).unwrap_or_default();
        let (mut clauses, mut matched) = (Vec::new(), true);
        for condition in &conditions {
            let (kind, expression, wanted) = match condition {
                PstClause::When(expression) => ("when", expression, true),
                PstClause::Unless(expression) => ("unless", expression, false),
            };
            let all_hold = evaluate(kind, expression, request, entities, &mut clauses);
            if all_hold != Some(wanted) {
                matched = false;
                break;
            }
        }
        if matched && !applies(policy, request, entities) {
            let text = "principal, action and resource are as the policy's head asks".to_owned();
            clauses.push(Clause { kind: "scope", text, holds: Some(false), values: BTreeMap::new() });
            matched = false;
        }
        Self {
            policy: policy.id().to_string(),
            effect: if policy.effect() == Effect::Permit { "permit" } else { "forbid" },
            matched,
            message: policy.annotation("message").map(str::to_owned),
            clauses,
        }
    }

    /// The clause that settled the matter: the false one, if there is one.
    pub fn telling(&self) -> Option<&Clause> {
        self.clauses.iter().find(|clause| clause.holds != Some(true)).or(self.clauses.last())
    }
}

fn shortened(text: impl ToString) -> String {
    let text = text.to_string();
    match text.char_indices().nth(MAX_TEXT) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// Whether a policy, head and conditions, matches.
fn applies(policy: &Policy, request: &Request, entities: &Entities) -> bool {
    let alone = PolicySet::from_policies([policy.clone()]).unwrap_or_default();
    let response = Authorizer::new().is_authorized(request, &alone, entities);
    response.diagnostics().reason().next().is_some()
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
        let holds = match value(part, request, entities) {
            Some(EvalResult::Bool(holds)) => Some(holds),
            _ => None,
        };
        let mut paths = Vec::new();
        paths_in(part, &mut paths);
        let values = paths.into_iter().map(|path| {
            let value = value(path, request, entities);
            (shortened(path), value.map_or("absent".to_owned(), shortened))
        });
        clauses.push(Clause { kind, text: shortened(part), holds, values: values.collect() });
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

fn value(expression: &Expr, request: &Request, entities: &Entities) -> Option<EvalResult> {
    let parsed: Expression = expression.to_string().parse().ok()?;
    eval_expression(request, entities, &parsed).ok()
}

/// The facts that an expression reads: attribute paths, and variables that stand by themselves.
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
        // `has` says by itself what is there or not; constants have no facts.
        _ => {}
    }
}
