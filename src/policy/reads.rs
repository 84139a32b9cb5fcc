//! Which facts about the person and the moment the policies of a set can read at all.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Var};
use cedar_policy::{Policy, PrincipalConstraint};

use super::facts::{MemberFacts, is_group, is_user};
use super::set::Action;

/// What a set's policies read of each kind of person: different actions are asked about them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SetReads {
    members: Reads,
    newcomers: Reads,
}

impl SetReads {
    /// Adds what a policy reads when it is asked about these actions.
    pub fn add(&mut self, policy: &Policy, actions: &[Action]) {
        // Of saving an issuer nothing is remembered.
        let alike = [Action::TrustIssuer, Action::GrantResource, Action::GrantScope];
        for (reads, own) in
            [(&mut self.members, Action::AdmitMember), (&mut self.newcomers, Action::ProvisionMember)]
        {
            let about: Vec<Action> =
                actions.iter().copied().filter(|action| *action == own || alike.contains(action)).collect();
            if !about.is_empty() {
                reads.add(policy, about.iter().any(|action| *action != Action::TrustIssuer));
            }
        }
    }

    /// Whether it matters to a newcomer how many seats are taken, beyond whether one is free.
    pub fn seats_used(&self) -> bool {
        self.newcomers.seats_used
    }

    /// What they read of such a person.
    pub fn of(&self, member: &MemberFacts) -> Reads {
        match member {
            MemberFacts::Present { .. } => self.members,
            MemberFacts::Absent { .. } => self.newcomers,
        }
    }
}

/// The facts that differ from sign-in to sign-in. Too many is only slow, one too few is a wrong decision: what
/// is not understood counts as reading everything, and all other facts are taken for read in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub now: bool,
    pub weekday: bool,
    pub auth_age: bool,
    pub subject: bool,
    pub email: bool,
    pub groups: Groups,
    /// How many seats are taken; whether all are is taken for read anyway.
    pub seats_used: bool,
}

/// How much of the person's groups can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Groups {
    #[default]
    Unread,
    /// Whether the person is in one that a policy names.
    Named,
    All,
}

/// What of an attribute is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Value,
    /// `has`.
    Presence,
}

/// One policy's way through.
struct Walk<'r> {
    reads: &'r mut Reads,
    /// Whether the principal is a person; else it is the issuer, which is taken for read anyway.
    of_person: bool,
}

impl Reads {
    fn add(&mut self, policy: &Policy, of_person: bool) {
        // A person that is named is looked up, and found only if it is the one who signs in.
        if policy.entity_literals().iter().any(is_user) {
            self.add_person();
        }
        let mut walk = Walk { reads: self, of_person };
        walk.head(&policy.principal_constraint());
        match policy.to_pst() {
            Ok(pst) => pst.body().clauses().iter().for_each(|clause| walk.clause(clause)),
            Err(_) => self.add_everything(),
        }
    }

    fn add_person(&mut self) {
        self.subject = true;
        self.groups = Groups::All;
    }

    fn add_everything(&mut self) {
        *self = Self {
            now: true,
            weekday: true,
            auth_age: true,
            subject: true,
            email: true,
            groups: Groups::All,
            seats_used: true,
        };
    }
}

impl Walk<'_> {
    fn head(&mut self, constraint: &PrincipalConstraint) {
        match constraint {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => {}
            PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) if is_group(uid) => {
                self.in_groups()
            }
            _ => self.principal(),
        }
    }

    fn clause(&mut self, clause: &Clause) {
        match clause {
            Clause::When(expression) | Clause::Unless(expression) => self.expression(expression),
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Literal(_) | Expr::Var(Var::Action | Var::Resource) => {}
            Expr::Var(Var::Principal) => self.principal(),
            Expr::GetAttr { expr, attr } => self.attribute(expr, &[attr.as_str()], Access::Value),
            Expr::HasAttr { expr, attrs } => {
                let names: Vec<&str> = attrs.iter().map(|attr| attr.as_str()).collect();
                self.attribute(expr, &names, Access::Presence);
            }
            Expr::BinaryOp { op, left, right } if tells_fullness(*op, left, right) => {}
            Expr::BinaryOp { op: BinaryOp::In, left, right } => self.within(left, right),
            Expr::Is { expr, in_expr: Some(parent), .. } => self.within(expr, parent),
            // Of which type the principal is depends on the action alone.
            Expr::Is { expr, in_expr: None, .. } if matches!(**expr, Expr::Var(Var::Principal)) => {}
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } | Expr::Is { expr, .. } => {
                self.expression(expr);
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
            // The context as a whole, and whatever else Cedar has or will have.
            _ => self.reads.add_everything(),
        }
    }

    /// `in`: of a person and named groups it matters only which of those the person is in. A group is in no
    /// other.
    fn within(&mut self, left: &Expr, right: &Expr) {
        if matches!(left, Expr::Var(Var::Principal)) && names_groups(right) {
            self.in_groups();
        } else {
            self.expression(left);
            self.expression(right);
        }
    }

    /// `a.b.c` or `a has b.c`, of which `attributes` are the last names.
    fn attribute(&mut self, of: &Expr, attributes: &[&str], access: Access) {
        let mut names: Vec<&str> = attributes.iter().rev().copied().collect();
        let mut root = of;
        while let Expr::GetAttr { expr, attr } = root {
            names.push(attr);
            root = expr;
        }
        names.reverse();
        match root {
            Expr::Var(Var::Context) => self.context(&names, access),
            other => self.expression(other),
        }
    }

    fn context(&mut self, names: &[&str], access: Access) {
        let reads = &mut *self.reads;
        match names {
            // Whether there is an email, and a number of seats, is taken for read anyway.
            ["claims", "email"] | ["seats_used"] if access == Access::Presence => {}
            ["seats_used", ..] => reads.seats_used = true,
            ["now", ..] => reads.now = true,
            ["weekday", ..] => reads.weekday = true,
            ["claims", "auth_age", ..] => reads.auth_age = true,
            ["claims", "sub", ..] => reads.subject = true,
            ["claims", "email", ..] => reads.email = true,
            ["client" | "key_bound" | "status" | "linking" | "seats_limit", ..] => {}
            [
                "claims",
                "tenant" | "aud_tenant" | "email_domain" | "email_verified" | "amr" | "acr" | "scopes"
                | "resources",
                ..,
            ] => {}
            _ => reads.add_everything(),
        }
    }

    fn principal(&mut self) {
        if self.of_person {
            self.reads.add_person();
        }
    }

    fn in_groups(&mut self) {
        if self.of_person {
            self.reads.groups = self.reads.groups.max(Groups::Named);
        }
    }
}

/// Whether an expression is a directory group, or some of them, by name.
pub(super) fn names_groups(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(Literal::EntityUID(uid)) => uid.ty.to_string() == "Group",
        Expr::Set(items) => items.iter().all(|item| names_groups(item)),
        _ => false,
    }
}

/// Whether an expression compares the seats that are taken with the limit, and tells no more than whether one is
/// free.
fn tells_fullness(op: BinaryOp, left: &Expr, right: &Expr) -> bool {
    let named = |expression: &Expr, name: &str| {
        matches!(expression, Expr::GetAttr { expr, attr }
            if attr.as_str() == name && matches!(**expr, Expr::Var(Var::Context)))
    };
    match op {
        BinaryOp::GreaterEq | BinaryOp::Less => named(left, "seats_used") && named(right, "seats_limit"),
        BinaryOp::LessEq | BinaryOp::Greater => named(left, "seats_limit") && named(right, "seats_used"),
        _ => false,
    }
}
