//! Who is calling, as far as the network tells.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, HeaderMap};

use super::around::Around;
use crate::app::App;
use crate::config::ClientIpSource;
use crate::oauth::error::TokenError;

/// The caller's address, as a request extension.
#[derive(Debug, Clone, Copy)]
pub struct CallerAddress(pub IpAddr);

impl CallerAddress {
    /// The address that was found for a request.
    pub fn of(request: &Extensions) -> Self {
        request.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}

/// Finds the caller's address: the connection's, or the one given by the operator's proxy.
#[derive(Clone)]
pub struct FindCaller(pub Arc<App>);

impl Around for FindCaller {
    type Kept = ();

    fn before(&self, request: &mut Request) -> Result<(), TokenError> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
        let source = self.0.config.client_ip_source;
        let address = match source {
            ClientIpSource::ConnectInfo => peer,
            _ => named(source, request.headers()).unwrap_or_else(|| {
                self.0.unreadable_addresses.note(source);
                peer
            }),
        };
        request.extensions_mut().insert(CallerAddress(address));
        Ok(())
    }
}

/// The address in the proxy's header. In a list it is the last one: the caller may have written all others.
fn named(source: ClientIpSource, headers: &HeaderMap) -> Option<IpAddr> {
    match source {
        ClientIpSource::ConnectInfo => None,
        ClientIpSource::RightmostXForwardedFor => parse(last_element(headers, "x-forwarded-for")?),
        ClientIpSource::RightmostForwarded => parse(forwarded_for(last_element(headers, "forwarded")?)?),
        // The port is always present, and IPv6 has no brackets.
        ClientIpSource::CloudFrontViewerAddress => {
            parse(only(headers, "cloudfront-viewer-address")?.rsplit_once(':')?.0)
        }
        ClientIpSource::CfConnectingIp => parse(only(headers, "cf-connecting-ip")?),
        ClientIpSource::FlyClientIp => parse(only(headers, "fly-client-ip")?),
        ClientIpSource::TrueClientIp => parse(only(headers, "true-client-ip")?),
        ClientIpSource::XEnvoyExternalAddress => parse(only(headers, "x-envoy-external-address")?),
        ClientIpSource::XRealIp => parse(only(headers, "x-real-ip")?),
    }
}

/// The value of a header that occurs once. If it occurs twice, the caller added one to the proxy's.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

/// The last element of a list. Anything may come before it, even bytes that are not text.
fn last_element<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let list = headers.get_all(name).iter().next_back()?.as_bytes();
    std::str::from_utf8(list.rsplit(|byte| *byte == b',').next()?).ok()
}

/// The `for` of an element of the Forwarded header (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })
}

/// An address in any of the forms that proxies write: with or without a port, IPv6 with or without brackets, quoted or
/// not. An IPv4 address in IPv6 form is the IPv4 address.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let address = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']')?;
            (port.is_empty() || port.starts_with(':')).then_some(address)?
        }
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    // The zone of a link-local address (RFC 4007 §11).
    let address = address.split_once('%').map_or(address, |(address, _)| address);
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}
