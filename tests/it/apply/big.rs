//! A thousand teamspaces.

use std::fmt::Write as _;
use std::time::Instant;

use super::harness::{Place, WAYS};

/// How long it takes is printed; it is not a test of speed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_teamspaces_are_applied() {
    let place = Place::start().await;
    for (at, way) in WAYS.into_iter().enumerate() {
        let mut text = String::from("teamspaces:\n");
        for n in 0..500 {
            let _ = writeln!(
                text,
                "- {{slug: t{at}-{n:03}, name: T {n}, plan: pro, email_domains: [t{at}-{n}.example]}}"
            );
        }
        place.write("big.yaml", &text);
        for expected in ["Done: 500 of 500.", "Nothing to do: everything is as declared."] {
            let started = Instant::now();
            place.apply(way, &["-f", "big.yaml"], 0).await.says(&[expected]);
            println!("{way:?}: {expected} after {:?}", started.elapsed());
        }
    }
}
