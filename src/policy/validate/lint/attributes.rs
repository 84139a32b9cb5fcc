//! Attributes that policies ask about with `has` although nothing has them.
//!
//! Cedar treats the answer to such a question as always no, and leaves everything that depends on it unchecked.

use std::collections::HashMap;

use cedar_policy::pst::{Clause, Expr, Literal, Var};

use super::read::PolicyParts;
use crate::policy::source::problem::{PolicyProblem, Rule};
use crate::policy::source::spelling::nearest;
use crate::policy::validate::vocabulary::{Attributes, Type, Vocabulary};

/// Every attribute that a policy asks about although nothing has it.
pub(super) fn unknown_attributes(read: &PolicyParts<'_, '_>, vocabulary: &Vocabulary) -> Vec<PolicyProblem> {
    let mut walk = AttributeWalk { read, vocabulary, met: HashMap::new(), problems: Vec::new() };
    for clause in &read.clauses {
        match clause {
            Clause::When(expression) | Clause::Unless(expression) => walk.expression(expression),
        }
    }
    walk.problems
}

/// The kinds of a value, as far as they decide its attributes.
#[derive(Clone, Copy)]
enum ValueKind<'v> {
    Entity(&'v str),
    Record(&'v Attributes),
    /// A value that has no attributes; Cedar refuses to ask it for one.
    Other,
}

/// The attributes of an entity type that declares none.
static NO_ATTRIBUTES: Attributes = Attributes::new();

struct AttributeWalk<'w> {
    read: &'w PolicyParts<'w, 'w>,
    vocabulary: &'w Vocabulary,
    /// How often each name was asked for so far.
    met: HashMap<String, usize>,
    problems: Vec<PolicyProblem>,
}

impl<'w> AttributeWalk<'w> {
    /// In the order of the text.
    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::HasAttr { expr, attrs } => {
                self.expression(expr);
                self.question(expr, attrs.iter().map(|attr| attr.as_str()));
            }
            Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } | Expr::Like { expr, .. } => {
                self.expression(expr);
            }
            Expr::Is { expr, in_expr, .. } => {
                self.expression(expr);
                in_expr.iter().for_each(|parent| self.expression(parent));
            }
            Expr::BinaryOp { left, right, .. } => {
                self.expression(left);
                self.expression(right);
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|part| self.expression(part));
            }
            Expr::Set(items) => items.iter().for_each(|item| self.expression(item)),
            Expr::Record(fields) => fields.values().for_each(|field| self.expression(field)),
            _ => {}
        }
    }

    /// `of has a.b.c`.
    fn question<'n>(&mut self, of: &Expr, names: impl Iterator<Item = &'n str>) {
        let (mut kinds, mut asked) = (self.kinds(of), shown(of));
        for name in names {
            let met = self.met.entry(name.to_owned()).or_default();
            let nth = *met;
            *met += 1;
            if !self.has(kinds.as_deref(), name) {
                let problem = self.problem(kinds.as_deref(), asked.as_deref(), name, nth);
                return self.problems.push(problem);
            }
            kinds = kinds.map(|kinds| self.step(&kinds, name));
            asked = asked.map(|asked| format!("{asked}.{name}"));
        }
    }

    fn problem(
        &self,
        kinds: Option<&[ValueKind<'w>]>,
        asked: Option<&str>,
        name: &str,
        nth: usize,
    ) -> PolicyProblem {
        let placed = self.read.placed;
        let message = match (kinds, asked) {
            (Some(_), Some(asked)) => format!("{}: `{asked}` has no attribute `{name}`", placed.id()),
            _ => format!("{}: nothing has an attribute `{name}`", placed.id()),
        };
        let known = self.names(kinds);
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if kinds.is_none() => "`countersign policy schema` shows what there is".to_owned(),
            None if known.is_empty() => "it has no attributes at all".to_owned(),
            None => format!("it can have: {}", known.join(", ")),
        };
        let place = placed.asked_for(name).nth(nth).unwrap_or_else(|| placed.span.clone());
        PolicyProblem::at(Rule::AttributeUnknown, placed.file, place, message).help(help)
    }

    /// Whether such a value may have the attribute. An unknown value may have any attribute that exists.
    fn has(&self, kinds: Option<&[ValueKind<'w>]>, name: &str) -> bool {
        let Some(kinds) = kinds else { return self.names(None).contains(&name) };
        let mut attributes = kinds.iter().filter_map(|kind| self.attributes(*kind)).peekable();
        attributes.peek().is_none() || attributes.any(|known| known.contains_key(name))
    }

    fn names(&self, kinds: Option<&[ValueKind<'w>]>) -> Vec<&'w str> {
        let mut names: Vec<&str> = match kinds {
            Some(kinds) => {
                let attributes = kinds.iter().filter_map(|kind| self.attributes(*kind));
                attributes.flat_map(|known| known.keys()).map(String::as_str).collect()
            }
            None => self.vocabulary.attribute_names(),
        };
        names.sort_unstable();
        names.dedup();
        names
    }

    fn attributes(&self, kind: ValueKind<'w>) -> Option<&'w Attributes> {
        match kind {
            ValueKind::Entity(name) => {
                Some(self.vocabulary.entities.get(name).map_or(&NO_ATTRIBUTES, |words| &words.attributes))
            }
            ValueKind::Record(attributes) => Some(attributes),
            ValueKind::Other => None,
        }
    }

    fn step(&self, kinds: &[ValueKind<'w>], name: &str) -> Vec<ValueKind<'w>> {
        let attributes = kinds.iter().filter_map(|kind| self.attributes(*kind)?.get(name));
        attributes.map(|attribute| self.kind(&attribute.kind)).collect()
    }

    fn kind(&self, kind: &'w Type) -> ValueKind<'w> {
        match kind {
            Type::Name(name) if self.vocabulary.entities.contains_key(name) => ValueKind::Entity(name),
            Type::Record { record, .. } => ValueKind::Record(record),
            Type::Name(_) | Type::Set { .. } => ValueKind::Other,
        }
    }

    /// The kinds that an expression can have; none when that is unknown.
    fn kinds(&self, expression: &Expr) -> Option<Vec<ValueKind<'w>>> {
        let head = &self.read.head;
        match expression {
            Expr::Var(Var::Context) => {
                Some(head.actions.iter().map(|(_, words)| ValueKind::Record(&words.context)).collect())
            }
            Expr::Var(Var::Principal) => {
                Some(head.principals.iter().copied().map(ValueKind::Entity).collect())
            }
            Expr::Var(Var::Resource) => Some(head.resources.iter().copied().map(ValueKind::Entity).collect()),
            Expr::Var(Var::Action) => Some(vec![ValueKind::Entity("Action")]),
            Expr::Literal(Literal::EntityUID(uid)) => {
                let (name, _) = self.vocabulary.entities.get_key_value(&uid.ty.to_string())?;
                Some(vec![ValueKind::Entity(name)])
            }
            Expr::GetAttr { expr, attr } => {
                Some(self.step(&self.kinds(expr)?, attr)).filter(|kinds| !kinds.is_empty())
            }
            Expr::IfThenElse { then_expr, else_expr, .. } => {
                Some([self.kinds(then_expr)?, self.kinds(else_expr)?].concat())
            }
            _ => None,
        }
    }
}

/// The text of an expression, if it is a path.
fn shown(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Var(Var::Principal) => Some("principal".to_owned()),
        Expr::Var(Var::Action) => Some("action".to_owned()),
        Expr::Var(Var::Resource) => Some("resource".to_owned()),
        Expr::Var(Var::Context) => Some("context".to_owned()),
        Expr::GetAttr { expr, attr } => Some(format!("{}.{attr}", shown(expr)?)),
        _ => None,
    }
}
