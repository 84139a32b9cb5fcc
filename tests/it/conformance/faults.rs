//! Each fault of the small server is found by the id that names it, and without one nothing is found.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use countersign::clock::Clock;
use countersign::conformance::{self, ConformanceProfile, KnownClient, RuleState, TestTarget, requirement};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::server::{self, Fault, NOW};
use super::{examine, idp, shortcomings, target};
use crate::harness::{SECRET, TestClock};
use crate::requirements::{is_id, rust_files};

/// The faults, the id that names each, and whether it breaks the rule or only differs from our recommendation.
const FAULTS: &[(Fault, &str, RuleState)] = &[
    (Fault::NoMetadata, "META-01", RuleState::Fails),
    (Fault::OtherIssuer, "META-02", RuleState::Fails),
    (Fault::NoProfile, "META-03", RuleState::Fails),
    (Fault::NoAuthorizationEndpoint, "META-05", RuleState::Fails),
    (Fault::ChallengeWithoutCode, "META-06", RuleState::Fails),
    (Fault::NoMethods, "META-07", RuleState::Fails),
    (Fault::PrivateKeyPublished, "META-08", RuleState::Fails),
    (Fault::EmptyArrays, "META-10", RuleState::Fails),
    (Fault::SymmetricProofs, "META-10", RuleState::Fails),
    (Fault::NoCaching, "META-12", RuleState::Fails),
    (Fault::ForeignEndpoint, "META-13", RuleState::Fails),
    (Fault::Registration, "REG-07", RuleState::Fails),
    (Fault::NoAllow, "TOK-01", RuleState::Differs),
    (Fault::TakesGet, "TOK-01", RuleState::Fails),
    (Fault::TakesJson, "TOK-02", RuleState::Fails),
    (Fault::TakesQuery, "TOK-03", RuleState::Fails),
    (Fault::TakesFirstOfTwo, "TOK-04", RuleState::Fails),
    (Fault::EmptyIsAValue, "TOK-04", RuleState::Fails),
    (Fault::RefusesUnknownParameters, "TOK-04", RuleState::Fails),
    (Fault::TakesAnyGrant, "TOK-05", RuleState::Fails),
    (Fault::KnowsRefresh, "RT-01", RuleState::Fails),
    (Fault::MissingAssertionIsAGrant, "TOK-06", RuleState::Fails),
    (Fault::TakesPadding, "TOK-06", RuleState::Fails),
    (Fault::CrashesOnBadEncoding, "TOK-08", RuleState::Fails),
    (Fault::CrashesOnBadEncoding, "ERR-07", RuleState::Fails),
    (Fault::IgnoresSecret, "TOK-09", RuleState::Fails),
    (Fault::LooksAtAssertionFirst, "TOK-10", RuleState::Fails),
    (Fault::TakesTwoWays, "CLI-02", RuleState::Fails),
    (Fault::NoChallenge, "CLI-08", RuleState::Fails),
    (Fault::TellsUnknownClients, "CLI-08", RuleState::Fails),
    (Fault::TakesClientWithoutSecret, "CLI-07", RuleState::Fails),
    (Fault::TakesSecretInUrl, "CLI-01", RuleState::Fails),
    (Fault::RefusesPost, "CLI-01", RuleState::Fails),
    (Fault::TakesIdJagAsClient, "CLI-05", RuleState::Fails),
    (Fault::TakesHmacClient, "CLI-06", RuleState::Fails),
    (Fault::ClientAssertionsAgain, "CLI-03", RuleState::Fails),
    (Fault::ClientAudienceIsTokenUrl, "CLI-04", RuleState::Fails),
    (Fault::AnyDocument, "REG-02", RuleState::Fails),
    (Fault::DocumentWithSecret, "REG-03", RuleState::Fails),
    (Fault::AnyType, "JAG-01", RuleState::Fails),
    (Fault::TakesWorkloads, "JAG-29", RuleState::Fails),
    (Fault::AnyType, "JAG-30", RuleState::Fails),
    (Fault::ExactCaseOfType, "JAG-01", RuleState::Differs),
    (Fault::NoSignatureCheck, "JAG-02", RuleState::Fails),
    (Fault::AlgNone, "JAG-02", RuleState::Fails),
    (Fault::PublicKeyAsSecret, "JAG-02", RuleState::Fails),
    (Fault::AnyKeyOfIssuer, "JAG-02", RuleState::Fails),
    (Fault::KeyFromHeader, "JAG-03", RuleState::Fails),
    (Fault::FollowsJku, "JAG-03", RuleState::Fails),
    (Fault::IgnoresCrit, "JAG-03", RuleState::Fails),
    (Fault::LooseIssuer, "JAG-04", RuleState::Fails),
    (Fault::AsksStranger, "JAG-04", RuleState::Fails),
    (Fault::TellsUnknownIssuers, "ERR-03", RuleState::Fails),
    (Fault::IssuerInArray, "JAG-05", RuleState::Fails),
    (Fault::ItselfAsIssuer, "JAG-06", RuleState::Fails),
    (Fault::LooseAudience, "JAG-07", RuleState::Fails),
    (Fault::AudienceAmongOthers, "JAG-07", RuleState::Fails),
    (Fault::TokenUrlAsAudience, "JAG-07", RuleState::Fails),
    (Fault::NoAudience, "JAG-07", RuleState::Fails),
    (Fault::NoClientBinding, "JAG-08", RuleState::Fails),
    (Fault::AnySubject, "JAG-09", RuleState::Fails),
    (Fault::NoExpiry, "JAG-10", RuleState::Fails),
    (Fault::ExpiryAsText, "JAG-10", RuleState::Fails),
    (Fault::NoIssuedAt, "JAG-11", RuleState::Fails),
    (Fault::LongLife, "JAG-11", RuleState::Differs),
    (Fault::IgnoresNotBefore, "JAG-12", RuleState::Fails),
    (Fault::NoTokenId, "JAG-13", RuleState::Fails),
    (Fault::Replay, "JAG-14", RuleState::Fails),
    (Fault::ReplayAtOnce, "JAG-14", RuleState::Fails),
    (Fault::ReplayByText, "JAG-14", RuleState::Fails),
    (Fault::UsesUpEarly, "JAG-15", RuleState::Fails),
    (Fault::AnyResource, "JAG-16", RuleState::Fails),
    (Fault::ScopeInArray, "JAG-17", RuleState::Fails),
    (Fault::IgnoresDetails, "JAG-18", RuleState::Fails),
    (Fault::IgnoresConfirmation, "JAG-19", RuleState::Fails),
    (Fault::IgnoresConfirmation, "DPP-03", RuleState::Fails),
    (Fault::IgnoresConfirmation, "DPP-10", RuleState::Fails),
    (Fault::AnyActor, "JAG-20", RuleState::Fails),
    (Fault::IgnoresTenant, "JAG-22", RuleState::Fails),
    (Fault::AnySignInFacts, "JAG-24", RuleState::Differs),
    (Fault::AnyEmail, "JAG-25", RuleState::Fails),
    (Fault::DuplicateMembers, "JAG-26", RuleState::Fails),
    (Fault::FiveParts, "JAG-27", RuleState::Fails),
    (Fault::RefusesUnknownClaims, "JAG-28", RuleState::Fails),
    (Fault::MemberByEmail, "SUB-02", RuleState::Fails),
    (Fault::TakesNobody, "SUB-05", RuleState::Differs),
    (Fault::GrantsEverything, "GRT-01", RuleState::Fails),
    (Fault::NarrowsToNothing, "GRT-02", RuleState::Differs),
    (Fault::UnknownScopes, "GRT-03", RuleState::Fails),
    (Fault::OfflineAccess, "GRT-06", RuleState::Fails),
    (Fault::IgnoresRequestedResource, "GRT-07", RuleState::Fails),
    (Fault::AnyRequestedResource, "GRT-08", RuleState::Fails),
    (Fault::ComparesResourcesExactly, "GRT-09", RuleState::Fails),
    // No fault: whoever knows nothing of RFC 9396 ignores its parameter (RFC 6749 §3.2).
    (Fault::NoDetails, "GRT-10", RuleState::Holds),
    (Fault::IgnoresRequestedDetails, "GRT-10", RuleState::Fails),
    (Fault::GrantsAnyDetails, "GRT-10", RuleState::Fails),
    (Fault::CacheableToken, "RSP-01", RuleState::Fails),
    (Fault::OddTokenType, "RSP-01", RuleState::Fails),
    (Fault::NoScope, "RSP-02", RuleState::Fails),
    (Fault::NoResource, "RSP-03", RuleState::Fails),
    (Fault::RefreshToken, "RSP-04", RuleState::Fails),
    (Fault::LongToken, "RSP-05", RuleState::Fails),
    (Fault::LongToken, "AT-05", RuleState::Fails),
    (Fault::TokenInHeader, "RSP-06", RuleState::Fails),
    (Fault::UntypedToken, "AT-01", RuleState::Fails),
    (Fault::FewClaims, "AT-01", RuleState::Fails),
    (Fault::SignsWithAnotherKey, "AT-02", RuleState::Fails),
    (Fault::IssuerAsAudience, "AT-03", RuleState::Fails),
    (Fault::EmailInToken, "AT-04", RuleState::Fails),
    (Fault::ShortTokenId, "AT-06", RuleState::Fails),
    (Fault::SubjectOfProvider, "SUB-11", RuleState::Fails),
    (Fault::ForbidsWith403, "ERR-01", RuleState::Fails),
    (Fault::ErrorsInPlainText, "ERR-02", RuleState::Fails),
    (Fault::CacheableErrors, "ERR-02", RuleState::Fails),
    (Fault::FaultsAreInvalidRequests, "ERR-04", RuleState::Fails),
    (Fault::FaultsAreInvalidClients, "ERR-05", RuleState::Fails),
    (Fault::CrashesOnTokenId, "ERR-07", RuleState::Fails),
    (Fault::CrashesOnTokenId, "JAG-13", RuleState::Fails),
    (Fault::IgnoresProofs, "DPP-01", RuleState::Fails),
    (Fault::AnyProofKey, "DPP-02", RuleState::Fails),
    (Fault::ProofsAgain, "DPP-01", RuleState::Fails),
    (Fault::AnyProofType, "DPP-01", RuleState::Fails),
    (Fault::PrivateProofKey, "DPP-01", RuleState::Fails),
    (Fault::SecretProofKey, "DPP-01", RuleState::Fails),
    (Fault::AnyProofMethod, "DPP-01", RuleState::Fails),
    (Fault::AnyProofAddress, "DPP-01", RuleState::Fails),
    (Fault::AnyProofTime, "DPP-01", RuleState::Fails),
    (Fault::TwoProofs, "DPP-01", RuleState::Fails),
    (Fault::NoNonce, "DPP-06", RuleState::Fails),
    (Fault::AnyNonce, "DPP-06", RuleState::Fails),
    (Fault::NonceBurnsAssertion, "DPP-06", RuleState::Fails),
    (Fault::UnboundToken, "DPP-04", RuleState::Fails),
    (Fault::OpenIntrospection, "INT-01", RuleState::Fails),
    (Fault::TellsInactive, "INT-02", RuleState::Fails),
    (Fault::TellsLittle, "INT-03", RuleState::Fails),
    (Fault::UntypedSignedAnswer, "INT-05", RuleState::Fails),
    (Fault::SignedAnswerLikeAToken, "INT-05", RuleState::Fails),
    (Fault::SignedByAnotherKey, "INT-05", RuleState::Fails),
    (Fault::IntrospectsGet, "INT-06", RuleState::Fails),
    (Fault::OpenRevocation, "REV-01", RuleState::Fails),
    (Fault::RevokesNothing, "REV-01", RuleState::Fails),
    (Fault::RefusesUnknownTokens, "REV-01", RuleState::Fails),
];

fn clock() -> Arc<dyn Clock> {
    Arc::new(TestClock::at(NOW))
}

fn whole_target(issuer: &str) -> TestTarget {
    TestTarget {
        other_client: Some(KnownClient { id: "another-client".to_owned(), secret: SECRET.to_owned() }),
        key_client: Some("client-with-a-key".to_owned()),
        ..target(issuer, ConformanceProfile::Ema)
    }
}

/// The id, and how it came out with the fault. Only that id is tested, so that all of it is quick.
async fn found(fault: Fault, id: &str) -> RuleState {
    let idp = idp().await;
    let tiny = server::start(&idp, Some(fault)).await;
    let target = TestTarget { only: vec![id.to_owned()], ..whole_target(&tiny.issuer) };
    let report = conformance::examine(target, idp, Vec::new(), clock()).await.unwrap();
    report.rule(id).unwrap().state
}

#[tokio::test]
async fn a_server_that_is_right_passes_everything() {
    let idp = idp().await;
    let tiny = server::start(&idp, None).await;
    let report = examine(whole_target(&tiny.issuer), idp, clock()).await;
    assert_eq!(shortcomings(&report), [""; 0], "{}", report.to_text());
    let tested = report.rules.iter().filter(|rule| rule.state == RuleState::Holds).count();
    let unexplained = report.rules.iter().filter(|rule| {
        rule.reason.as_ref().is_some_and(|reason| reason == "no check of this suite is about it")
    });
    assert_eq!(unexplained.map(|rule| rule.id).collect::<Vec<_>>(), [""; 0]);
    assert!(tested > 70, "{tested} requirements:\n{}", report.to_text());
}

#[tokio::test]
async fn each_fault_is_found_by_the_id_that_names_it() {
    let found = stream::iter(FAULTS.iter().copied()).map(async |(fault, id, expected)| {
        let found = found(fault, id).await;
        (found != expected).then(|| format!("{fault:?}: expected {id} {expected:?}, found {found:?}"))
    });
    let missed: Vec<String> = found.buffer_unordered(8).filter_map(async |missed| missed).collect().await;
    assert!(FAULTS.len() > 100 && missed.is_empty(), "{missed:#?}");
}

/// A fault is listed once, and each one that the server knows is listed.
#[test]
fn every_fault_of_the_server_is_planted() {
    let source = include_str!("server/fault.rs");
    let known = source.lines().filter_map(|line| line.trim().strip_suffix(',')).collect::<Vec<_>>();
    for fault in &known {
        let times = FAULTS.iter().filter(|(planted, ..)| format!("{planted:?}") == *fault).count();
        assert!(times > 0, "{fault} is planted nowhere");
    }
    assert!(known.len() > 100);
}

/// A check of an id that the list lacks would be in no report.
#[test]
fn each_check_is_about_a_requirement_of_the_list() {
    let sources = rust_files(Path::new("src/conformance/checks"));
    let sources: String = sources.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let ids: BTreeSet<&str> = sources.split('"').filter(|word| is_id(word)).collect();
    let unknown: Vec<_> = ids.iter().filter(|id| requirement(id).is_none()).collect();
    assert!(ids.len() > 70 && unknown.is_empty(), "{unknown:?}");
}
