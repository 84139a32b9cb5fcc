//! A DNS server on loopback that answers as the test says, or not at all.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

/// The answer for a name.
pub enum Reply {
    /// These, for so many seconds.
    Addresses(Vec<IpAddr>, u32),
    /// This one, and nothing at all to whoever asks for IPv6.
    OnlyIpv4(IpAddr),
    NoSuchName,
}

impl Reply {
    pub fn addresses(texts: &[&str]) -> Option<Self> {
        Some(Self::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect(), 300))
    }
}

pub struct FakeDns {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeDns {
    /// One that says nothing when there is no reply.
    pub async fn start(reply: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let (name, end) = question(&query[..length]);
                noted.lock().unwrap().push(name.clone());
                let answer = reply(&name).and_then(|reply| answer(&query[..end], &reply));
                if let Some(answer) = answer {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, asked }
    }

    pub async fn silent() -> Self {
        Self::start(|_| None).await
    }

    /// The names that it was asked for, each once.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        let mut seen = std::collections::HashSet::new();
        asked.retain(|name| seen.insert(name.clone()));
        asked
    }

    pub fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// The name that a query is about, and where its question ends.
fn question(query: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] > 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    (labels.join("."), at + 5)
}

/// RFC 1035 §4.1, for the one kind of address that was asked for.
fn answer(query: &[u8], reply: &Reply) -> Option<Vec<u8>> {
    let kind = query[query.len() - 3];
    let (addresses, ttl, code) = match reply {
        Reply::Addresses(addresses, ttl) => (addresses.as_slice(), *ttl, 0),
        Reply::OnlyIpv4(_) if kind == 28 => return None,
        Reply::OnlyIpv4(address) => (std::slice::from_ref(address), 300, 0),
        Reply::NoSuchName => (&[][..], 0, 3),
    };
    let data: Vec<Vec<u8>> = addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(ip) => (kind == 1).then(|| ip.octets().to_vec()),
            IpAddr::V6(ip) => (kind == 28).then(|| ip.octets().to_vec()),
        })
        .collect();
    let mut message = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, data.len() as u8, 0, 0, 0, 0];
    message.extend_from_slice(&query[12..]);
    for data in data {
        message.extend_from_slice(&[0xc0, 12, 0, kind, 0, 1]);
        message.extend_from_slice(&ttl.to_be_bytes());
        message.extend_from_slice(&(data.len() as u16).to_be_bytes());
        message.extend_from_slice(&data);
    }
    Some(message)
}
