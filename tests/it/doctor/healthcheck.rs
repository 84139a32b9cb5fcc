//! `countersign healthcheck`: 0 or 1, as Docker takes it.

use std::process::Output;

use super::{serve, service};
use crate::commands::{text, write};
use crate::harness::TestApp;

async fn healthcheck(app: &TestApp, args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("healthcheck").args(args).current_dir(app.dir.path()).stdin(std::process::Stdio::null());
    command.output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_alive_and_ready_until_it_is_not() {
    let app = service(|_| {}).await;
    let url = app.management.as_str();
    write(
        app.dir.path(),
        "countersign.toml",
        &format!("management_listen = \"{}\"", &url["http://".len()..]),
    );
    for (args, said) in [
        (&[][..], "alive"),
        (&["--ready"], "ready"),
        (&["--ready", "--url", url], "ready"),
        (&["--url", &format!("{url}/")], "alive"),
    ] {
        let out = healthcheck(&app, args).await;
        assert_eq!((out.status.code(), text(&out.stdout).trim()), (Some(0), said), "{out:?}");
    }
    app.database.execute("ALTER TABLE replicas RENAME TO gone");
    app.app.probe().await;
    app.app.probe().await;
    let out = healthcheck(&app, &["--ready"]).await;
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("not ready: database_write"), "{out:?}");
    assert_eq!(healthcheck(&app, &[]).await.status.code(), Some(0), "the process runs");
    let other = serve(axum::Router::new().fallback(async || "here")).await;
    for (args, said) in [
        (&["--url", "http://127.0.0.1:1"][..], "cannot be reached"),
        (&["--url", &other], "not Countersign"),
        (&["--url", "nowhere"], "nowhere"),
        (&["--config", "nowhere.toml"], "nowhere.toml"),
    ] {
        let out = healthcheck(&app, args).await;
        assert_eq!(out.status.code(), Some(1), "{out:?}");
        assert!(text(&out.stderr).contains(said), "{said}: {out:?}");
    }
}
