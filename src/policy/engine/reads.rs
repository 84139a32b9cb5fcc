//! The facts about the person and the moment that the policies of a set can read at all.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, UnaryOp, Var};
use cedar_policy::{Policy, PrincipalConstraint};

use crate::policy::action::Action;
use crate::policy::facts::{
    Access, CustomReads, DeclaredClaims, Facts, MemberFacts, ReadClaims, ReadMoment, ReadRequest, Wanted,
    is_group, is_user,
};

/// The facts that a set's policies read in each situation: different actions are asked about, and different parts of a
/// condition are evaluated.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::policy) struct SetDependencies {
    newcomers: BySetting,
    linking: BySetting,
    bound: BySetting,
    /// About tokens. Decisions about sign-ins do not depend on it.
    token: BySetting,
}

#[derive(Debug, Clone, Copy, Default)]
struct BySetting {
    without: FactDependencies,
    with: FactDependencies,
}

/// The parts of a sign-in that are known whatever its claims say.
#[derive(Debug, Clone, Copy)]
struct Situation {
    person: PersonState,
    /// Whether the teamspace has a scope setting.
    has_setting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PersonState {
    Newcomer,
    /// This sign-in binds the subject to the member with the same email.
    Linking,
    Bound,
    /// The sign-in is over, and it is about the token.
    Token,
}

impl PersonState {
    const ALL: [Self; 4] = [Self::Newcomer, Self::Linking, Self::Bound, Self::Token];
}

impl SetDependencies {
    /// Adds the facts that a policy reads when it is asked about these actions.
    pub fn add(&mut self, policy: &Policy, actions: &[Action], declared: &DeclaredClaims) {
        for person in PersonState::ALL {
            let about = || actions.iter().filter(|action| person.is_asked_about(**action));
            if about().next().is_none() {
                continue;
            }
            let of_person = about().any(|action| *action != Action::TrustIssuer);
            let BySetting { without, with } = self.of_kind(person);
            for (has_setting, reads) in [(false, without), (true, with)] {
                let mut walk =
                    ReadsWalk { reads, of_person, situation: Situation { person, has_setting }, declared };
                walk.policy(policy);
            }
        }
    }

    /// The facts that are collected only if a policy reads them.
    pub fn wanted(&self, declared: &DeclaredClaims) -> Wanted {
        let is_read = |access: &dyn Fn(&ReadRequest) -> Access| {
            self.all().any(|reads| access(&reads.request) != Access::No)
        };
        Wanted {
            client_address: is_read(&|request| request.client_address),
            requested_scopes: is_read(&|request| request.requested_scopes),
            custom_claims: declared.read(self.custom_claims()),
        }
    }

    /// The custom claims that are read in any situation.
    pub fn custom_claims(&self) -> CustomReads {
        self.all().fold(CustomReads::default(), |all, reads| all.and(reads.custom))
    }

    fn all(&self) -> impl Iterator<Item = &FactDependencies> {
        let Self { newcomers, linking, bound, token } = self;
        [newcomers, linking, bound, token].into_iter().flat_map(|of| [&of.without, &of.with])
    }

    /// Whether policies about newcomers read the number of taken seats, beyond whether one is free.
    pub fn seats_used(&self) -> bool {
        let BySetting { without, with } = self.newcomers;
        [without, with].iter().any(|reads| reads.request.seats_used == Access::Value)
    }

    fn of_kind(&mut self, person: PersonState) -> &mut BySetting {
        match person {
            PersonState::Newcomer => &mut self.newcomers,
            PersonState::Linking => &mut self.linking,
            PersonState::Bound => &mut self.bound,
            PersonState::Token => &mut self.token,
        }
    }

    /// The facts that they read at such a sign-in.
    pub fn of(&self, facts: &Facts) -> FactDependencies {
        let of_kind = match &facts.member {
            MemberFacts::Absent { .. } => self.newcomers,
            MemberFacts::Present { linking: true, .. } => self.linking,
            MemberFacts::Present { linking: false, .. } => self.bound,
        };
        of_kind.at(facts)
    }

    /// The facts that they read in questions about the token of such a sign-in.
    pub fn of_token(&self, facts: &Facts) -> FactDependencies {
        self.token.at(facts)
    }
}

impl BySetting {
    fn at(&self, facts: &Facts) -> FactDependencies {
        if facts.teamspace.scope_setting.is_some() { self.with } else { self.without }
    }
}

impl PersonState {
    fn is_asked_about(self, action: Action) -> bool {
        match action {
            // Decisions about saving an issuer and about the console are not remembered.
            Action::ConfigureIssuer | Action::Console(_) => false,
            Action::ProvisionMember => self == Self::Newcomer,
            Action::AdmitMember => matches!(self, Self::Linking | Self::Bound),
            Action::TrustIssuer | Action::GrantResource | Action::GrantScope | Action::GrantDetail => {
                self != Self::Token
            }
            Action::CallTool | Action::ListTools => self == Self::Token,
        }
    }
}

/// The facts that differ between sign-ins, and those that may be unusable. One too many only makes it slow, or refuses
/// needlessly; one too few leads to a wrong decision. Unknown constructs count as reading everything, and all other
/// facts always count as read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::policy) struct FactDependencies {
    pub claims: ReadClaims,
    pub moment: ReadMoment,
    pub request: ReadRequest,
    pub groups: Groups,
    pub custom: CustomReads,
}

/// How much of the person's groups can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) enum Groups {
    #[default]
    Unread,
    /// A policy names a group that the person may be in.
    Named,
    All,
}

/// A walk through one policy, in the order of evaluation.
struct ReadsWalk<'r> {
    reads: &'r mut FactDependencies,
    /// Whether the principal is a person; otherwise it is the issuer, which always counts as read.
    of_person: bool,
    situation: Situation,
    declared: &'r DeclaredClaims,
}

impl FactDependencies {
    fn add_person(&mut self) {
        self.claims.sub = Access::Value;
        self.groups = Groups::All;
    }

    fn add_everything(&mut self) {
        *self = Self {
            claims: ReadClaims::EVERYTHING,
            moment: ReadMoment::EVERYTHING,
            request: ReadRequest::EVERYTHING,
            groups: Groups::All,
            custom: CustomReads::ALL,
        };
    }
}

impl ReadsWalk<'_> {
    fn policy(&mut self, policy: &Policy) {
        // A named person is looked up, and found only if it is the one who signs in.
        if policy.entity_literals().iter().any(is_user) {
            self.reads.add_person();
        }
        self.head(&policy.principal_constraint());
        match policy.to_pst() {
            Ok(pst) => self.clauses(pst.body().clauses()),
            Err(_) => self.reads.add_everything(),
        }
    }

    fn head(&mut self, constraint: &PrincipalConstraint) {
        match constraint {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => {}
            PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) if is_group(uid) => {
                self.in_groups()
            }
            _ => self.principal(),
        }
    }

    /// The clauses form one condition: the first one that is not met ends it.
    fn clauses(&mut self, clauses: &[Clause]) {
        for clause in clauses {
            let (expression, met) = match clause {
                Clause::When(expression) => (expression, true),
                Clause::Unless(expression) => (expression, false),
            };
            if self.expression(expression) == Some(!met) {
                return;
            }
        }
    }

    fn expressions<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>) {
        for expression in all {
            self.expression(expression);
        }
    }

    /// Notes the facts that an expression reads. Returns its value if the situation alone decides it: parts that
    /// cannot be reached are not read.
    fn expression(&mut self, expression: &Expr) -> Option<bool> {
        match expression {
            Expr::Literal(Literal::Bool(value)) => return Some(*value),
            Expr::UnaryOp { op: UnaryOp::Not, expr } => return self.expression(expr).map(|value| !value),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => return self.either(left, right, false),
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => return self.either(left, right, true),
            Expr::IfThenElse { cond, then_expr, else_expr } => match self.expression(cond) {
                Some(true) => return self.expression(then_expr),
                Some(false) => return self.expression(else_expr),
                None => self.expressions([&**then_expr, &**else_expr]),
            },
            other if asks_for_setting(other) => return Some(self.situation.has_setting),
            other if asks_for_linking(other) => match self.situation.person {
                PersonState::Newcomer => {}
                person => return Some(person == PersonState::Linking),
            },
            other => self.read(other),
        }
        None
    }

    /// `&&` and `||`: if the left side settles the result, the right side is not evaluated.
    fn either(&mut self, left: &Expr, right: &Expr, ends_with: bool) -> Option<bool> {
        match self.expression(left) {
            Some(value) if value == ends_with => Some(value),
            Some(_) => self.expression(right),
            None => {
                self.expression(right);
                None
            }
        }
    }

    /// An expression without a value until the facts are known.
    fn read(&mut self, expression: &Expr) {
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
            // The type of the principal depends on the action alone.
            Expr::Is { expr, in_expr: None, .. } if matches!(**expr, Expr::Var(Var::Principal)) => {}
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } | Expr::Is { expr, .. } => {
                self.expression(expr);
            }
            Expr::BinaryOp { left, right, .. } => self.expressions([&**left, &**right]),
            Expr::Set(items) => self.expressions(items.iter().map(|item| &**item)),
            Expr::Record(fields) => self.expressions(fields.values().map(|field| &**field)),
            // The context as a whole, and any other expression that Cedar has or will have.
            _ => self.reads.add_everything(),
        }
    }

    /// `in`: for a person and named groups, it matters only which of those groups the person is in. A group is in no
    /// other group.
    fn within(&mut self, left: &Expr, right: &Expr) {
        if matches!(left, Expr::Var(Var::Principal)) && names_groups(right) {
            self.in_groups();
        } else {
            self.expressions([left, right]);
        }
    }

    /// `a.b.c` or `a has b.c`; `attributes` are the last names.
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
            other => self.expressions([other]),
        }
    }

    fn context(&mut self, names: &[&str], access: Access) {
        if let ["claims", "custom", below @ ..] = names {
            return self.custom_claim(below.first().copied());
        }
        let FactDependencies { claims, moment, request, .. } = &mut *self.reads;
        // `a.b has c` and `a has b.c` only ask whether the last attribute exists; the others are read.
        let access = |below: &[&str]| if below.is_empty() { access } else { Access::Value };
        let is_known = match names {
            ["claims", name, below @ ..] => claims.add(name, access(below)),
            // The scopes of a token always count as read, as all candidates do.
            ["token_scopes", ..] => true,
            [name, below @ ..] => moment.add(name, access(below)) || request.add(name, access(below)),
            [] => false,
        };
        if !is_known {
            self.reads.add_everything();
        }
    }

    /// A custom claim, or all of them.
    fn custom_claim(&mut self, name: Option<&str>) {
        let read = name.map_or(CustomReads::ALL, |name| self.declared.read_of(name));
        self.reads.custom = self.reads.custom.and(read);
        self.reads.claims.custom = Access::Value;
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
pub(in crate::policy) fn names_groups(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(Literal::EntityUID(uid)) => uid.ty.to_string() == "Group",
        Expr::Set(items) => items.iter().all(|item| names_groups(item)),
        _ => false,
    }
}

/// Whether an expression compares the taken seats with the limit, and shows only whether one is free.
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

/// `resource has scope_setting`, `resource.teamspace has scope_setting`: a sign-in has only one teamspace.
fn asks_for_setting(expression: &Expr) -> bool {
    let Expr::HasAttr { expr, attrs } = expression else { return false };
    let names: Vec<&str> = attrs.iter().map(|attr| attr.as_str()).collect();
    let is_resource = |expr: &Expr| matches!(expr, Expr::Var(Var::Resource));
    match (&**expr, names.as_slice()) {
        (Expr::GetAttr { expr, attr }, ["scope_setting"]) => attr == "teamspace" && is_resource(expr),
        (expr, ["scope_setting"] | ["teamspace", "scope_setting"]) => is_resource(expr),
        _ => false,
    }
}

/// `context.linking`.
fn asks_for_linking(expression: &Expr) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr }
        if attr == "linking" && matches!(**expr, Expr::Var(Var::Context)))
}
