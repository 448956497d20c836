//! What spoils latency on a machine: what was found, what it costs, and the command that would change it.
//! Nothing is changed, and nothing but the system's own files is read.

use std::path::Path;

use serde::Serialize;

use crate::machine::{chosen, field};

/// Where the system's files are.
pub trait System {
    /// A file's text without the white space at its ends; `None` where there is none.
    fn read(&self, path: &str) -> Option<String>;

    /// Names in a folder, sorted; empty where there is none.
    fn list(&self, path: &str) -> Vec<String>;
}

/// This machine's.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisMachine;

impl System for ThisMachine {
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    }

    fn list(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(Path::new(path)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// As it should be.
    Good,
    /// The system does not say.
    Unknown,
    /// Costs something in the tail.
    Tail,
    /// Costs something with each message, or breaks something.
    Much,
}

/// What was found of one matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The matter.
    pub what: &'static str,
    /// How much it matters here.
    pub weight: Weight,
    /// What was found.
    pub found: String,
    /// What it costs as it is; empty where nothing.
    pub costs: &'static str,
    /// The command that would change it; empty where nothing is to be changed, or no command can.
    pub command: String,
}

fn good(what: &'static str, found: impl Into<String>) -> Finding {
    Finding { what, weight: Weight::Good, found: found.into(), costs: "", command: String::new() }
}

fn unknown(what: &'static str, found: &str) -> Finding {
    Finding { weight: Weight::Unknown, ..good(what, found) }
}

fn bad(
    what: &'static str,
    weight: Weight,
    found: impl Into<String>,
    costs: &'static str,
    command: impl Into<String>,
) -> Finding {
    Finding { what, weight, found: found.into(), costs, command: command.into() }
}

/// Bytes that a feed asks its sockets to hold.
const RECEIVE_BUFFER: u64 = 4 << 20;

/// Examines a machine on which the hot threads are pinned to these cores.
pub fn examine(system: &impl System, cores: &[usize]) -> Vec<Finding> {
    vec![
        core_count(system),
        isolation(system, cores),
        governor(system, cores),
        siblings(system, cores),
        sleep_states(system),
        interrupts(system, cores),
        tick(system, cores),
        real_time(system),
        clock(system),
        huge_pages(system),
        io_uring(system),
        locked_memory(system),
        open_files(system),
        receive_buffers(system),
        balancing(system),
        swap(system),
        virtual_machine(system),
    ]
}

/// The numbers in a list such as `0-2,7`.
pub fn numbers(text: &str) -> Vec<usize> {
    let mut out = Vec::new();
    for part in text.split(',').map(str::trim) {
        match part.split_once('-') {
            Some((from, to)) => {
                if let (Ok(from), Ok(to)) = (from.parse::<usize>(), to.parse::<usize>()) {
                    out.extend(from..=to.min(from + 4_096));
                }
            }
            None => out.extend(part.parse::<usize>()),
        }
    }
    out
}

fn named(cores: &[usize]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn core_count(system: &impl System) -> Finding {
    const WHAT: &str = "cores";
    let status = system.read("/proc/self/status").unwrap_or_default();
    let Some(allowed) = field(&status, "Cpus_allowed_list") else {
        return unknown(WHAT, "the system does not say which cores this process may use");
    };
    let count = numbers(&allowed).len();
    match count {
        0 | 1 => bad(
            WHAT,
            Weight::Much,
            format!("this process may use {count} core ({allowed})"),
            "engine and gateway take turns on it: milliseconds",
            "taskset -c 0,1 spindle run ...",
        ),
        2 => bad(
            WHAT,
            Weight::Tail,
            format!("this process may use 2 cores ({allowed})"),
            "nothing is left for the system: whatever else runs takes a hot thread off its core",
            "",
        ),
        _ => good(WHAT, format!("this process may use {count} cores ({allowed})")),
    }
}

fn isolation(system: &impl System, cores: &[usize]) -> Finding {
    const WHAT: &str = "isolation";
    let isolated = numbers(&system.read("/sys/devices/system/cpu/isolated").unwrap_or_default());
    let open: Vec<_> = cores.iter().copied().filter(|core| !isolated.contains(core)).collect();
    if open.is_empty() {
        return good(WHAT, format!("cores {} are isolated", named(cores)));
    }
    bad(
        WHAT,
        Weight::Tail,
        format!("the scheduler puts other work on cores {} too", named(&open)),
        "a slice of the scheduler, up to some milliseconds, whenever something else wants the core",
        format!(
            "grubby --update-kernel=ALL --args=\"isolcpus=managed_irq,domain,{0} nohz_full={0} rcu_nocbs={0}\", then reboot",
            named(cores)
        ),
    )
}

fn governor(system: &impl System, cores: &[usize]) -> Finding {
    const WHAT: &str = "governor";
    let path = |core| format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
    let governors: Vec<_> = cores.iter().filter_map(|core| system.read(&path(core))).collect();
    match governors.first() {
        None => unknown(WHAT, "the system shows no clock rates (usual in a virtual machine)"),
        Some(_) if governors.iter().all(|governor| governor == "performance") => {
            good(WHAT, "performance")
        }
        Some(_) => bad(
            WHAT,
            Weight::Much,
            governors.join(", "),
            "the first messages after a pause run at a low clock rate: up to twice the time",
            "cpupower frequency-set --governor performance",
        ),
    }
}

fn siblings(system: &impl System, cores: &[usize]) -> Finding {
    const WHAT: &str = "hyper-threads";
    let path = |core| format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let shared: Vec<_> = cores
        .iter()
        .filter_map(|core| system.read(&path(core)))
        .filter(|list| numbers(list).len() > 1)
        .collect();
    if shared.is_empty() {
        return good(WHAT, "each core runs one thread, as far as the system says");
    }
    let mut pairs = shared.clone();
    pairs.dedup();
    let meet = cores.iter().any(|core| {
        let others = cores.iter().filter(|other| *other != core);
        let list = numbers(&system.read(&path(core)).unwrap_or_default());
        others.into_iter().any(|other| list.contains(other))
    });
    bad(
        WHAT,
        if meet { Weight::Much } else { Weight::Tail },
        format!(
            "cores share their units: {}{}",
            pairs.join(" and "),
            if meet { "; two hot threads are on one of them" } else { "" }
        ),
        "a sibling that works takes a third to a half of the core's speed",
        "echo off > /sys/devices/system/cpu/smt/control",
    )
}

fn sleep_states(system: &impl System) -> Finding {
    const WHAT: &str = "sleep states";
    let states = system.list("/sys/devices/system/cpu/cpu0/cpuidle");
    let slow: Vec<_> = states
        .iter()
        .filter_map(|state| {
            let read =
                |file| system.read(&format!("/sys/devices/system/cpu/cpu0/cpuidle/{state}/{file}"));
            let wakes: u64 = read("latency")?.parse().ok()?;
            let off = read("disable").is_some_and(|text| text == "1");
            (wakes > 10 && !off)
                .then(|| format!("{} ({wakes} us)", read("name").unwrap_or_default()))
        })
        .collect();
    if slow.is_empty() {
        return good(WHAT, "none that takes longer than 10 us to wake from");
    }
    bad(
        WHAT,
        Weight::Tail,
        slow.join(", "),
        "a thread that parks wakes so much later; threads that spin never sleep",
        "cpupower idle-set --disable-by-latency 10",
    )
}

fn interrupts(system: &impl System, cores: &[usize]) -> Finding {
    const WHAT: &str = "interrupts";
    let mut here = Vec::new();
    for irq in system.list("/proc/irq").into_iter().filter(|name| name.parse::<u32>().is_ok()) {
        let path = format!("/proc/irq/{irq}/effective_affinity_list");
        let on = numbers(&system.read(&path).unwrap_or_default());
        let busy = system.list(&format!("/proc/irq/{irq}")).into_iter().any(|name| {
            // A folder named for the device says that somebody listens.
            !name.contains("affinity") && !matches!(name.as_str(), "node" | "spurious")
        });
        if busy && on.iter().any(|core| cores.contains(core)) {
            here.push(irq);
        }
    }
    if here.is_empty() {
        return good(WHAT, format!("no device interrupts cores {}", named(cores)));
    }
    bad(
        WHAT,
        Weight::Tail,
        format!(
            "{} devices interrupt cores {} (numbers {})",
            here.len(),
            named(cores),
            here.join(", ")
        ),
        "each takes the core for some microseconds, and what it needs out of the cache",
        format!(
            "systemctl stop irqbalance; for i in {}; do echo OTHER_CORES > /proc/irq/$i/smp_affinity_list; done",
            here.join(" ")
        ),
    )
}

fn tick(system: &impl System, cores: &[usize]) -> Finding {
    const WHAT: &str = "timer";
    let without = numbers(&system.read("/sys/devices/system/cpu/nohz_full").unwrap_or_default());
    if cores.iter().all(|core| without.contains(core)) {
        return good(WHAT, "no tick on these cores while one thread runs there");
    }
    bad(
        WHAT,
        Weight::Tail,
        format!("the scheduler's tick interrupts cores {}", named(cores)),
        "some microseconds, 100 to 1,000 times a second",
        format!("grubby --update-kernel=ALL --args=\"nohz_full={}\", then reboot", named(cores)),
    )
}

fn real_time(system: &impl System) -> Finding {
    const WHAT: &str = "real-time limit";
    let read =
        |name| system.read(&format!("/proc/sys/kernel/{name}")).and_then(|t| t.parse::<i64>().ok());
    match (read("sched_rt_runtime_us"), read("sched_rt_period_us")) {
        (Some(-1), _) => good(WHAT, "threads in real time are never held back"),
        (Some(runtime), Some(period)) if runtime < period => bad(
            WHAT,
            Weight::Tail,
            format!("a core may run threads in real time for {runtime} of {period} us"),
            "where hot threads run in real time and others want the core: the rest of each period",
            "sysctl kernel.sched_rt_runtime_us=-1",
        ),
        (Some(_), Some(_)) => good(WHAT, "none"),
        _ => unknown(WHAT, "the system does not say"),
    }
}

fn clock(system: &impl System) -> Finding {
    const WHAT: &str = "clock";
    let source = system.read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let flags =
        field(&system.read("/proc/cpuinfo").unwrap_or_default(), "flags").unwrap_or_default();
    let steady = ["constant_tsc", "nonstop_tsc"]
        .into_iter()
        .all(|flag| flags.split(' ').any(|word| word == flag));
    match source.as_deref() {
        Some(fast @ ("tsc" | "kvm-clock" | "arch_sys_counter"))
            if steady || fast == "arch_sys_counter" =>
        {
            good(WHAT, format!("{fast}, read without a system call; the counter is steady"))
        }
        Some(fast @ ("tsc" | "kvm-clock" | "arch_sys_counter")) => bad(
            WHAT,
            Weight::Tail,
            format!("{fast}; the processor does not promise a steady counter"),
            "stamps of hops may be wrong when the clock rate changes",
            "",
        ),
        Some(slow) => bad(
            WHAT,
            Weight::Much,
            slow,
            "each reading of the time is a system call or a slow device: up to a microsecond",
            "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
        ),
        None => unknown(WHAT, "the system does not say"),
    }
}

fn huge_pages(system: &impl System) -> Finding {
    const WHAT: &str = "huge pages";
    let text = system.read("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    match chosen(&text) {
        Some("madvise") => good(WHAT, "madvise: the engine's tables ask for them"),
        Some("always") => bad(
            WHAT,
            Weight::Tail,
            "always",
            "the system joins pages in the background and holds threads up meanwhile",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        ),
        Some(other) => bad(
            WHAT,
            Weight::Much,
            other,
            "books take about 1.5 times as long for each message (docs/measuring.md)",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        ),
        None => unknown(WHAT, "the system does not say"),
    }
}

fn io_uring(system: &impl System) -> Finding {
    const WHAT: &str = "io_uring";
    match system.read("/proc/sys/kernel/io_uring_disabled").as_deref() {
        Some("0") => good(WHAT, "allowed"),
        Some(_) => bad(
            WHAT,
            Weight::Tail,
            "forbidden for some or all",
            "receive = \"io_uring\" is an error, \"auto\" takes recvmmsg, which is the default anyway",
            "sysctl kernel.io_uring_disabled=0",
        ),
        None => unknown(WHAT, "the system does not say; kernels from 5.1 have it"),
    }
}

/// The soft limit of a line of `/proc/self/limits`; `None` is without limit.
fn limit(system: &impl System, name: &str) -> Option<Option<u64>> {
    let text = system.read("/proc/self/limits")?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let soft = rest.split_whitespace().next()?;
    Some(soft.parse().ok())
}

fn locked_memory(system: &impl System) -> Finding {
    const WHAT: &str = "locked memory";
    match limit(system, "Max locked memory") {
        None => unknown(WHAT, "the system does not say"),
        Some(None) => good(WHAT, "without limit"),
        Some(Some(bytes)) if bytes >= 64 << 20 => good(WHAT, format!("{} MiB", bytes >> 20)),
        Some(Some(bytes)) => bad(
            WHAT,
            Weight::Tail,
            format!("{} KiB", bytes >> 10),
            "io_uring's buffers may not fit on older kernels",
            "ulimit -l unlimited",
        ),
    }
}

fn open_files(system: &impl System) -> Finding {
    const WHAT: &str = "open files";
    match limit(system, "Max open files") {
        None => unknown(WHAT, "the system does not say"),
        Some(Some(files)) if files < 1_100 => bad(
            WHAT,
            Weight::Tail,
            files.to_string(),
            "more than about a thousand connections are not accepted",
            "ulimit -n 65536",
        ),
        Some(files) => {
            good(WHAT, files.map_or("without limit".to_owned(), |files| files.to_string()))
        }
    }
}

fn receive_buffers(system: &impl System) -> Finding {
    const WHAT: &str = "receive buffers";
    match system.read("/proc/sys/net/core/rmem_max").and_then(|text| text.parse::<u64>().ok()) {
        None => unknown(WHAT, "the system does not say"),
        Some(bytes) if bytes >= RECEIVE_BUFFER => good(WHAT, format!("up to {} MiB", bytes >> 20)),
        Some(bytes) => bad(
            WHAT,
            Weight::Much,
            format!("{} KiB at most, a feed asks for {} KiB", bytes >> 10, RECEIVE_BUFFER >> 10),
            "a burst, or a pause of the scheduler, loses packets",
            format!("sysctl net.core.rmem_max={RECEIVE_BUFFER}"),
        ),
    }
}

fn balancing(system: &impl System) -> Finding {
    const WHAT: &str = "memory balancing";
    match system.read("/proc/sys/kernel/numa_balancing").as_deref() {
        None | Some("0") => good(WHAT, "off"),
        Some(_) => bad(
            WHAT,
            Weight::Tail,
            "on",
            "the system takes pages away to see who wants them: a fault each",
            "sysctl kernel.numa_balancing=0",
        ),
    }
}

fn swap(system: &impl System) -> Finding {
    const WHAT: &str = "swap";
    let text = system.read("/proc/swaps").unwrap_or_default();
    match text.lines().count() {
        0 | 1 => good(WHAT, "none"),
        _ => bad(
            WHAT,
            Weight::Tail,
            "in use or ready",
            "what rests may be written to disk: milliseconds when it is touched again",
            "swapoff -a",
        ),
    }
}

fn virtual_machine(system: &impl System) -> Finding {
    const WHAT: &str = "hypervisor";
    let flags =
        field(&system.read("/proc/cpuinfo").unwrap_or_default(), "flags").unwrap_or_default();
    if !flags.split(' ').any(|flag| flag == "hypervisor") {
        return good(WHAT, "none");
    }
    bad(
        WHAT,
        Weight::Tail,
        "this is a virtual machine",
        "the host may take cores away for milliseconds, and each interrupt costs more",
        "",
    )
}

/// The findings for a terminal.
pub fn table(findings: &[Finding]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for finding in findings {
        let mark = match finding.weight {
            Weight::Good => "good",
            Weight::Unknown => "?",
            Weight::Tail => "TAIL",
            Weight::Much => "MUCH",
        };
        let _ = writeln!(out, "{mark:<5}{:<17}{}", finding.what, finding.found);
        if !finding.costs.is_empty() {
            let _ = writeln!(out, "{:<22}costs: {}", "", finding.costs);
        }
        if !finding.command.is_empty() {
            let _ = writeln!(out, "{:<22}to change it: {}", "", finding.command);
        }
    }
    let count = |weight| findings.iter().filter(|finding| finding.weight == weight).count();
    let _ = writeln!(
        out,
        "\n{} cost much, {} cost something in the tail, {} good, {} unknown. Nothing was changed.",
        count(Weight::Much),
        count(Weight::Tail),
        count(Weight::Good),
        count(Weight::Unknown)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A machine made of texts.
    #[derive(Default)]
    struct Made(BTreeMap<String, String>);

    impl Made {
        fn with(mut self, path: &str, text: &str) -> Self {
            self.0.insert(path.to_owned(), text.to_owned());
            self
        }
    }

    impl System for Made {
        fn read(&self, path: &str) -> Option<String> {
            self.0.get(path).cloned()
        }

        fn list(&self, path: &str) -> Vec<String> {
            let within = format!("{path}/");
            let names = self.0.keys().filter_map(|key| key.strip_prefix(&within));
            let mut names: Vec<_> =
                names.filter_map(|rest| rest.split('/').next().map(str::to_owned)).collect();
            names.dedup();
            names
        }
    }

    fn well_kept() -> Made {
        let cpu = "/sys/devices/system/cpu";
        Made::default()
            .with("/proc/self/status", "Name: x\nCpus_allowed_list:\t0-7\n")
            .with(&format!("{cpu}/isolated"), "2-3")
            .with(&format!("{cpu}/nohz_full"), "2,3")
            .with(&format!("{cpu}/cpu2/cpufreq/scaling_governor"), "performance")
            .with(&format!("{cpu}/cpu3/cpufreq/scaling_governor"), "performance")
            .with(&format!("{cpu}/cpu2/topology/thread_siblings_list"), "2")
            .with(&format!("{cpu}/cpu0/cpuidle/state1/latency"), "2")
            .with("/proc/irq/24/effective_affinity_list", "0")
            .with("/proc/irq/24/eth0", "")
            .with("/proc/sys/kernel/sched_rt_runtime_us", "-1")
            .with("/proc/sys/kernel/sched_rt_period_us", "1000000")
            .with("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
            .with("/proc/cpuinfo", "flags : fpu constant_tsc nonstop_tsc\n")
            .with("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never")
            .with("/proc/sys/kernel/io_uring_disabled", "0")
            .with(
                "/proc/self/limits",
                "Limit  Soft\nMax locked memory         unlimited  unlimited bytes\n\
                 Max open files            65536  65536 files",
            )
            .with("/proc/sys/net/core/rmem_max", "16777216")
            .with("/proc/sys/kernel/numa_balancing", "0")
            .with("/proc/swaps", "Filename Type")
    }

    fn weights(system: &Made) -> Vec<(&'static str, Weight)> {
        let findings = examine(system, &[2, 3]);
        let not_good = findings.iter().filter(|finding| finding.weight != Weight::Good);
        not_good.map(|finding| (finding.what, finding.weight)).collect()
    }

    #[test]
    fn a_well_kept_machine_is_good_throughout() {
        assert_eq!(weights(&well_kept()), []);
    }

    #[test]
    fn each_fault_is_found_alone_with_its_cost() {
        let cpu = "/sys/devices/system/cpu";
        let table = [
            ("/proc/self/status", "Cpus_allowed_list:\t1", "cores", Weight::Much),
            (&format!("{cpu}/isolated"), "3", "isolation", Weight::Tail),
            (&format!("{cpu}/nohz_full"), "", "timer", Weight::Tail),
            (
                &format!("{cpu}/cpu3/cpufreq/scaling_governor"),
                "powersave",
                "governor",
                Weight::Much,
            ),
            (
                &format!("{cpu}/cpu2/topology/thread_siblings_list"),
                "2,3",
                "hyper-threads",
                Weight::Much,
            ),
            (
                &format!("{cpu}/cpu2/topology/thread_siblings_list"),
                "2,6",
                "hyper-threads",
                Weight::Tail,
            ),
            (&format!("{cpu}/cpu0/cpuidle/state1/latency"), "133", "sleep states", Weight::Tail),
            ("/proc/irq/24/effective_affinity_list", "3", "interrupts", Weight::Tail),
            ("/proc/sys/kernel/sched_rt_runtime_us", "950000", "real-time limit", Weight::Tail),
            (
                "/sys/devices/system/clocksource/clocksource0/current_clocksource",
                "hpet",
                "clock",
                Weight::Much,
            ),
            (
                "/sys/kernel/mm/transparent_hugepage/enabled",
                "[always] madvise never",
                "huge pages",
                Weight::Tail,
            ),
            (
                "/sys/kernel/mm/transparent_hugepage/enabled",
                "always madvise [never]",
                "huge pages",
                Weight::Much,
            ),
            ("/proc/sys/kernel/io_uring_disabled", "2", "io_uring", Weight::Tail),
            ("/proc/sys/net/core/rmem_max", "212992", "receive buffers", Weight::Much),
            ("/proc/sys/kernel/numa_balancing", "1", "memory balancing", Weight::Tail),
            ("/proc/swaps", "Filename\n/swapfile", "swap", Weight::Tail),
            (
                "/proc/cpuinfo",
                "flags : constant_tsc nonstop_tsc hypervisor",
                "hypervisor",
                Weight::Tail,
            ),
            (
                "/proc/self/limits",
                "Max locked memory 65536 65536 bytes\nMax open files 65536 x",
                "locked memory",
                Weight::Tail,
            ),
            (
                "/proc/self/limits",
                "Max locked memory unlimited x\nMax open files 1024 x",
                "open files",
                Weight::Tail,
            ),
        ];
        for (path, text, what, weight) in table {
            assert_eq!(weights(&well_kept().with(path, text)), [(what, weight)], "{path}: {text}");
        }
    }

    #[test]
    fn a_machine_that_says_nothing_breaks_nothing() {
        let findings = examine(&Made::default(), &[0, 1]);
        assert!(findings.iter().any(|finding| finding.weight == Weight::Unknown));
        assert_eq!(numbers("0-2,7, x,9-8"), [0, 1, 2, 7]);
        for finding in findings.iter().filter(|finding| finding.weight > Weight::Unknown) {
            assert!(!finding.costs.is_empty(), "{} costs nothing", finding.what);
        }
    }
}
