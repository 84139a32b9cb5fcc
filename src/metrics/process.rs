//! Metrics of the process itself, under the names that Prometheus' own libraries use.

use prometheus_client::registry::Registry;

/// Adds what `/proc` says about this process, if there is one.
pub fn add(registry: &mut Registry) {
    #[cfg(target_os = "linux")]
    if let Err(error) = linux::add(registry) {
        tracing::debug!(%error, "cannot read the system's data about this process");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = registry;
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::{LimitValue, Process};
    use procfs::{ProcResult, WithCurrentSystemInfo as _};
    use prometheus_client::metrics::counter::ConstCounter;
    use prometheus_client::metrics::gauge::ConstGauge;
    use prometheus_client::registry::{Registry, Unit};

    pub fn add(registry: &mut Registry) -> ProcResult<()> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        let whole = |number: u64| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        let help = "CPU time in user mode and in the kernel";
        let cpu = ConstCounter::new(seconds(stat.utime + stat.stime));
        registry.register_with_unit("process_cpu", help, Unit::Seconds, cpu);
        let started = procfs::boot_time_secs()? as f64 + seconds(stat.starttime);
        let help = "Start of the process, in seconds since 1970";
        registry.register_with_unit("process_start_time", help, Unit::Seconds, ConstGauge::new(started));
        let resident = whole(stat.rss_bytes().get());
        registry.register_with_unit("process_resident_memory", "Resident memory", Unit::Bytes, resident);
        let help = "Virtual memory";
        registry.register_with_unit("process_virtual_memory", help, Unit::Bytes, whole(stat.vsize));
        let threads = ConstGauge::new(stat.num_threads);
        registry.register("process_threads", "Threads of the process", threads);
        let open = whole(process.fd_count()? as u64);
        registry.register("process_open_fds", "Open file descriptors", open);
        if let LimitValue::Value(most) = process.limits()?.max_open_files.soft_limit {
            registry.register("process_max_fds", "Limit of open file descriptors", whole(most));
        }
        Ok(())
    }
}
