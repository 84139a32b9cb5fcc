//! The words of pages about failed sign-ins with OpenID Connect.

use axum::http::StatusCode;

use crate::openid::SignInError;

const AGAIN: &str = "Sign in again";
const PROVIDER: &str = "The identity provider cannot be used";
const NOT_IN: &str = "You are not signed in";

/// The page's status, title and text.
pub fn explain(error: &SignInError) -> (StatusCode, &'static str, String) {
    match error {
        SignInError::NotBegun
        | SignInError::WrongState
        | SignInError::TooLate
        | SignInError::Finished
        | SignInError::NoCode
        | SignInError::AnsweredByAnother => (StatusCode::BAD_REQUEST, AGAIN, again(error).to_owned()),
        SignInError::Refused(code) => (StatusCode::FORBIDDEN, NOT_IN, refused(code)),
        SignInError::NoEmail | SignInError::EmailNotVerified | SignInError::EmailNotPlain => {
            (StatusCode::FORBIDDEN, NOT_IN, email(error).to_owned())
        }
        SignInError::Nobody(address) => (StatusCode::FORBIDDEN, NOT_IN, nobody(address)),
        SignInError::NotReached(_) | SignInError::JustTried => {
            let text = "The identity provider does not answer at the moment. Try again in a minute. Whoever runs the \
                service finds in the log why.";
            (StatusCode::SERVICE_UNAVAILABLE, PROVIDER, text.to_owned())
        }
        SignInError::Store(_) | SignInError::NoEntropy(_) => {
            let text = "Something is out of order at the moment. Nothing is lost: try again in a minute.";
            (StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable", text.to_owned())
        }
        _ => (StatusCode::BAD_GATEWAY, PROVIDER, of_provider(error).to_owned()),
    }
}

/// Something is wrong with this sign-in alone.
fn again(error: &SignInError) -> &'static str {
    match error {
        SignInError::NotBegun => {
            "No sign-in is under way in this browser. Perhaps it refuses cookies, or the sign-in began in another \
             browser. Go to the console and sign in from there."
        }
        SignInError::WrongState => {
            "This answer belongs to another sign-in, such as one in another tab. Go to the console and sign in once more."
        }
        SignInError::TooLate => "The sign-in took longer than ten minutes. Sign in once more.",
        SignInError::Finished => {
            "This sign-in was finished before, and works once only. Go to the console; if you are not signed in, sign in \
             once more."
        }
        SignInError::AnsweredByAnother => {
            "The answer is not from the identity provider that this console uses, so it was not taken. Sign in once \
             more. If it happens again, tell whoever runs the service."
        }
        _ => "The identity provider's answer has nothing in it to sign in with. Sign in once more.",
    }
}

/// The provider said no. What else it said is not repeated.
fn refused(code: &str) -> String {
    let why = match code {
        "access_denied" => {
            "It did not let you in, or you cancelled. If you should have access, ask its administrator to assign you to \
             this application."
        }
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            "It needs something more from you. Sign in once more, and answer its questions."
        }
        "server_error" | "temporarily_unavailable" => {
            "It is out of order at the moment. Try again in a minute."
        }
        _ => "Its settings for this console need a change. Tell whoever runs the service.",
    };
    format!("The identity provider answered with {code}. {why}")
}

fn email(error: &SignInError) -> &'static str {
    match error {
        SignInError::NoEmail => {
            "The identity provider did not tell your email address, by which this console knows people. Ask its \
             administrator to give you one, and to tell it to this application (scope email)."
        }
        SignInError::EmailNotVerified => {
            "The identity provider does not say that your email address is verified, so it could be anybody's. Ask its \
             administrator to verify it (claim email_verified)."
        }
        _ => {
            "Your email address is written in a way that this console does not take, such as with quotes or without a \
             domain. Ask the identity provider's administrator to change it."
        }
    }
}

fn nobody(address: &str) -> String {
    format!(
        "You signed in as {address}, and this console knows nobody by that address. If you have another account, sign \
         out at the identity provider and sign in with that one. Otherwise ask an owner of your teamspace to add you, or \
         whoever runs the service to list you in console.operators."
    )
}

/// The provider, or its settings here, are wrong.
fn of_provider(error: &SignInError) -> &'static str {
    match error {
        SignInError::OtherIssuer => {
            "Its metadata is of another issuer than console.oidc.issuer names. Both must be the same to the letter, with or \
             without a slash at the end. Whoever runs the service can change it."
        }
        SignInError::CodeRefused(_) => {
            "It did not take the code of this sign-in. Sign in once more. If it happens again, whoever runs the service \
             should look at console.oidc.client_id and client_secret."
        }
        SignInError::NoIdToken => {
            "It sent no ID token. Whoever runs the service should look at whether the application there is one of OpenID \
             Connect."
        }
        SignInError::IdTokenIssuer => {
            "Its ID token is of another issuer, so it was not taken. Tell whoever runs the service."
        }
        SignInError::IdTokenAudience => {
            "Its ID token is for another application, so it was not taken. Whoever runs the service should look at \
             console.oidc.client_id."
        }
        SignInError::IdTokenNonce => {
            "Its ID token is of another sign-in (another nonce, or none), so it was not taken. Sign in once more. If it \
             happens again, tell whoever runs the service."
        }
        SignInError::IdTokenExpired => {
            "Its ID token has expired already. Sign in once more. If it happens again, the clocks of the service and the \
             identity provider differ."
        }
        SignInError::IdTokenSignature(_) => {
            "Its ID token is not signed with a key that it publishes, so it was not taken. Try again in a minute, and tell \
             whoever runs the service if it happens again."
        }
        _ => {
            "It gave an answer that cannot be used. Whoever runs the service finds in the log what is wrong with it."
        }
    }
}
