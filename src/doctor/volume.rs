//! The volume that a database file is on.

use std::path::Path;

use rustix::fs::statvfs;

use super::line::{DoctorGroup, DoctorLine, Lines};

/// Below this much room writes are about to fail, in bytes.
const TOO_LITTLE: u64 = 100 << 20;
/// Below this much room somebody should look, in bytes.
const LITTLE: u64 = 1 << 30;

/// File systems that are on another machine, by the number that Linux gives them.
const NETWORK: [(u64, &str); 6] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
];

/// A volume's room and kind.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The bytes that may still be written.
    pub free: u64,
    /// The name of a file system that is on another machine.
    pub network: Option<&'static str>,
}

impl Volume {
    /// The volume of a directory.
    pub(super) fn of(directory: &Path) -> std::io::Result<Self> {
        let room = statvfs(directory)?;
        Ok(Self { free: room.f_bavail.saturating_mul(room.f_frsize), network: network(directory) })
    }

    /// The lines about it.
    pub fn lines(&self) -> Vec<DoctorLine> {
        let lines = Lines::new(DoctorGroup::Database);
        self.examine(&lines);
        lines.take()
    }

    /// Tells about both.
    pub(super) fn examine(&self, lines: &Lines) {
        let message = format!("{} are free on the database's volume.", size(self.free));
        let fix = "Make room, or move the database to a larger volume while the service is stopped.";
        match self.free {
            free if free < LITTLE => lines.fail_or_warn(free < TOO_LITTLE, "disk_space", message, fix),
            _ => lines.ok("disk_space", message),
        }
        if let Some(name) = self.network {
            lines.fail(
                "file_system",
                format!("The database is on {name}, a file system of another machine. SQLite's locks do not hold there."),
                "Move the file to a local disk, or use PostgreSQL (`countersign db copy`).",
            );
        }
    }
}

/// The name of a file system that is on another machine, by its number; none for any other.
pub fn network_file_system(number: u64) -> Option<&'static str> {
    NETWORK.into_iter().find(|(known, _)| *known == number).map(|(_, name)| name)
}

#[cfg(target_os = "linux")]
fn network(directory: &Path) -> Option<&'static str> {
    // The number has 32 bits, whatever the type that holds it.
    network_file_system(rustix::fs::statfs(directory).ok()?.f_type as u64 & 0xffff_ffff)
}

#[cfg(not(target_os = "linux"))]
fn network(_: &Path) -> Option<&'static str> {
    None
}

fn size(bytes: u64) -> String {
    let gibibytes = bytes as f64 / f64::from(1 << 30);
    match bytes {
        bytes if bytes < LITTLE => format!("{} MiB", bytes >> 20),
        _ => format!("{gibibytes:.1} GiB"),
    }
}
