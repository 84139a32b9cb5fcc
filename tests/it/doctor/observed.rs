//! What no test machine has: a full disk, a network file system, a server that loses commits.

use countersign::doctor::{
    DatabaseSettings, DoctorLine, LineStatus, PostgresSettings, Volume, lines_about, network_file_system,
};

/// The line of a name, with its status.
#[track_caller]
fn told<'l>(lines: &'l [DoctorLine], name: &str, status: LineStatus, words: &[&str]) -> &'l DoctorLine {
    let line =
        lines.iter().find(|line| line.name == name).unwrap_or_else(|| panic!("no {name} in {lines:?}"));
    assert_eq!((line.status, line.fix.is_none()), (status, status == LineStatus::Ok), "{line:?}");
    words.iter().for_each(|word| assert!(line.message.contains(word), "{word}: {line:?}"));
    line
}

#[test]
fn a_disk_with_little_room_is_found() {
    for (free, status, words) in [
        (50 << 20, LineStatus::Failed, "50 MiB are free"),
        (500 << 20, LineStatus::Warning, "500 MiB are free"),
        (5 << 30, LineStatus::Ok, "5.0 GiB are free"),
    ] {
        let lines = Volume { free, network: None }.lines();
        told(&lines, "disk_space", status, &[words]);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[test]
fn a_file_system_of_another_machine_is_found() {
    for (number, name) in [(0x6969, Some("NFS")), (0xff53_4d42, Some("CIFS")), (0xef53, None)] {
        assert_eq!(network_file_system(number), name);
    }
    let lines = Volume { free: 5 << 30, network: Some("NFS") }.lines();
    told(&lines, "file_system", LineStatus::Failed, &["NFS", "SQLite's locks do not hold"]);
    told(&lines, "disk_space", LineStatus::Ok, &[]);
}

/// The settings of a server on another machine that keeps every commit, changed.
fn server(change: impl FnOnce(&mut PostgresSettings)) -> Vec<DoctorLine> {
    let text = str::to_owned;
    let mut settings = PostgresSettings {
        version: text("17.2"),
        synchronous_commit: text("on"),
        fsync: text("on"),
        full_page_writes: text("on"),
        standby_names: text("ANY 1 (*)"),
        standbys: 2,
        tls: true,
        address: text("192.0.2.7"),
        size: text("8 MB"),
    };
    change(&mut settings);
    lines_about(DatabaseSettings::Postgres(settings))
}

#[test]
fn a_server_that_loses_commits_is_found() {
    let durability = |change: fn(&mut PostgresSettings), status, words: &[&str]| {
        told(&server(change), "durability", status, words).clone()
    };
    durability(
        |_| {},
        LineStatus::Ok,
        &["fsync and full_page_writes are on", "waits for standbys (ANY 1 (*))"],
    );
    durability(|server| server.fsync = "off".into(), LineStatus::Failed, &["fsync is off", "damaged"]);
    durability(
        |server| server.full_page_writes = "off".into(),
        LineStatus::Failed,
        &["full_page_writes is off"],
    );
    let both = |server: &mut PostgresSettings| {
        (server.fsync, server.full_page_writes) = ("off".into(), "off".into());
    };
    durability(both, LineStatus::Failed, &["fsync and full_page_writes is off"]);
    let line = durability(
        |server| server.standby_names = String::new(),
        LineStatus::Warning,
        &["waits for none of them", "redeemed again"],
    );
    assert!(line.fix.unwrap().contains("synchronous_standby_names"));
    let alone = |server: &mut PostgresSettings| (server.standby_names, server.standbys) = (String::new(), 0);
    durability(alone, LineStatus::Ok, &["there is no standby"]);
    durability(
        |server| server.synchronous_commit = "off".into(),
        LineStatus::Ok,
        &["synchronous_commit is off on the server and on in the service's sessions"],
    );
}

#[test]
fn a_connection_to_another_machine_without_tls_is_found() {
    told(&server(|_| {}), "tls", LineStatus::Ok, &["encrypted"]);
    let plain = server(|server| server.tls = false);
    let line = told(&plain, "tls", LineStatus::Warning, &["192.0.2.7 is not encrypted"]);
    assert!(line.fix.as_ref().unwrap().contains("sslmode=verify-full"), "{line:?}");
    for here in ["", "127.0.0.1", "::1"] {
        let local = server(|server| (server.tls, server.address) = (false, here.to_owned()));
        told(&local, "tls", LineStatus::Ok, &["on this machine"]);
    }
}
