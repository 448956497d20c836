//! The machine that figures belong to, and what disturbed a run on it. Linux alone; what the system
//! does not tell is left empty.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::{Ticks, Time};

/// What must be known of a machine to read its figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name, as it gives it.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: u64,
    /// Threads that a core of the processor runs at once.
    pub threads_per_core: u64,
    /// Cores that the scheduler leaves alone (`isolcpus`), as the kernel writes them; empty: none.
    pub isolated: String,
    /// What sets the clock rate, on the first core; empty where the system does not say.
    pub governor: String,
    /// Where the kernel takes its time from.
    pub clock_source: String,
    /// The kernel's release.
    pub kernel: String,
    /// What the kernel does against faults of the processor; one line each.
    pub mitigations: Vec<String>,
    /// The hypervisor, by the name it gives; empty on bare metal.
    pub hypervisor: String,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Transparent huge pages.
    pub huge_pages: String,
    /// How this process is scheduled.
    pub scheduling: String,
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The value of the first line `name : value` in a text such as `/proc/cpuinfo`.
pub fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// What stands in brackets in a text such as `always [madvise] never`.
pub fn chosen(text: &str) -> Option<&str> {
    text.split_once('[')?.1.split_once(']').map(|(value, _)| value)
}

/// The number in a line such as `MemTotal: 24689224 kB`.
pub fn number(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.split_whitespace().next()?.parse().ok()
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
        let ratio = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) if b > 0 => a / b,
            _ => 1,
        };
        let mitigations = fs::read_dir("/sys/devices/system/cpu/vulnerabilities");
        let mut mitigations: Vec<_> = mitigations
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let text = read(entry.path().to_str()?)?;
                let name = entry.file_name().to_str()?.to_owned();
                (text != "Not affected").then(|| format!("{name}: {text}"))
            })
            .collect();
        mitigations.sort();
        Self {
            processor: field(&cpuinfo, "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from) as u64,
            threads_per_core: ratio(number(&cpuinfo, "siblings"), number(&cpuinfo, "cpu cores")),
            isolated: read("/sys/devices/system/cpu/isolated").unwrap_or_default(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .unwrap_or_default(),
            clock_source: read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
                .unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
            mitigations,
            hypervisor: hypervisor(&cpuinfo),
            memory_mib: read("/proc/meminfo")
                .and_then(|text| number(&text, "MemTotal"))
                .unwrap_or(0)
                / 1_024,
            huge_pages: read("/sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|text| chosen(&text).map(str::to_owned))
                .unwrap_or_default(),
            scheduling: scheduling(),
        }
    }
}

/// The hypervisor: what its tables say of it, or that there is one.
fn hypervisor(cpuinfo: &str) -> String {
    let flags = field(cpuinfo, "flags").unwrap_or_default();
    if !flags.split(' ').any(|flag| flag == "hypervisor") {
        return String::new();
    }
    let product = read("/sys/class/dmi/id/product_name").filter(|text| !text.is_empty());
    let kind = read("/sys/hypervisor/type").filter(|text| !text.is_empty());
    product.or(kind).unwrap_or_else(|| "yes, it gives no name".to_owned())
}

/// Policy, priority and niceness of this process, from its line in `/proc`.
fn scheduling() -> String {
    let stat = read("/proc/self/stat").unwrap_or_default();
    // The name is in parentheses and may hold anything; what follows is counted from its end.
    let rest: Vec<_> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let at = |index: usize| rest.get(index).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let (nice, priority, policy) = (at(16), at(37), at(38));
    match policy {
        0 => format!("normal, nice {nice}"),
        1 => format!("first in first out, priority {priority}"),
        2 => format!("round robin, priority {priority}"),
        other => format!("policy {other}, nice {nice}"),
    }
}

/// What disturbed a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Whether figures of this run should be trusted less, by the lines in `why`.
    pub noisy: bool,
    /// Why; one line each.
    pub why: Vec<String>,
    /// Part of all cores' time that the hypervisor gave to others during the run.
    pub steal: f64,
    /// Part of the run that the load's thread was ready and had no core.
    pub load_waited: f64,
    /// Part of the run that the engine's thread was ready and had no core.
    pub engine_waited: f64,
    /// Programs that wanted a core, over the minute before the run (the system's load average).
    pub load_average: f64,
    /// Gaps seen by a thread that spins, before the run.
    pub gaps: Gaps,
    /// How far the rounds' p50 lie apart: the middle half, as a part of the median.
    pub p50_spread: f64,
}

/// Gaps in the time of a thread that does nothing but read the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// How long it spun, in milliseconds.
    pub spun_ms: u64,
    /// Gaps longer than 10 us.
    pub count: u64,
    /// Their sum, in nanoseconds.
    pub sum_ns: u64,
    /// The longest, in nanoseconds.
    pub max_ns: u64,
}

impl Gaps {
    /// Spins for so long. Time comes from the caller.
    pub fn spin(time: &mut impl Time, long: Duration) -> Self {
        const GAP_NS: u64 = 10_000;
        let begin = time.now();
        let end = begin.saturating_add(u64::try_from(long.as_nanos()).unwrap_or(u64::MAX));
        let (mut last, mut gaps) = (begin, Self::default());
        while last < end {
            let now = time.now();
            let gap = now - last;
            if gap > GAP_NS {
                gaps.count += 1;
                gaps.sum_ns += gap;
                gaps.max_ns = gaps.max_ns.max(gap);
            }
            last = now;
        }
        gaps.spun_ms = (last - begin) / 1_000_000;
        gaps
    }

    /// Spins on this thread with the processor's counter.
    pub fn here(long: Duration) -> Self {
        Self::spin(&mut Ticks::new(), long)
    }

    /// The part of the time that was in gaps.
    #[allow(clippy::cast_precision_loss, reason = "a part with a few digits")]
    pub fn part(&self) -> f64 {
        self.sum_ns as f64 / (self.spun_ms.max(1) as f64 * 1e6)
    }
}

/// Counters of the system at one moment; two of them tell what happened in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemTimes {
    /// Clock ticks of all cores.
    pub all: u64,
    /// Of these, given to others by the hypervisor.
    pub stolen: u64,
}

impl SystemTimes {
    /// Now.
    pub fn now() -> Self {
        Self::parse(&read("/proc/stat").unwrap_or_default())
    }

    /// From the first line of `/proc/stat`.
    pub fn parse(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        Self { all: ticks.iter().sum(), stolen: ticks.get(7).copied().unwrap_or(0) }
    }

    /// The part of the time since `earlier` that was stolen.
    #[allow(clippy::cast_precision_loss, reason = "a part with a few digits")]
    pub fn steal_since(&self, earlier: &Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all);
        if all == 0 { 0.0 } else { self.stolen.saturating_sub(earlier.stolen) as f64 / all as f64 }
    }
}

/// Nanoseconds that a thread of this process was ready and had no core, since it began.
pub fn waited_ns(thread: u64) -> u64 {
    let text = read(&format!("/proc/self/task/{thread}/schedstat")).unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The system's number of the calling thread; 0 where it gives none.
pub fn this_thread() -> u64 {
    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
    let name = link.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}

/// The system's load average over a minute.
pub fn load_average() -> f64 {
    let text = read("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

impl Noise {
    /// Judges what was seen. `cores` are those of the machine.
    #[must_use]
    pub fn judged(mut self, cores: u64) -> Self {
        let percent = |part: f64| format!("{:.2} %", 100.0 * part);
        let mut why = Vec::new();
        #[allow(clippy::cast_precision_loss, reason = "some cores")]
        if self.load_average > 0.5 * cores as f64 {
            why.push(format!(
                "other programs were running: load average {:.1} on {cores} cores",
                self.load_average
            ));
        }
        if self.steal > 0.001 {
            why.push(format!("the hypervisor gave {} of the time to others", percent(self.steal)));
        }
        for (name, part) in [("load's", self.load_waited), ("engine's", self.engine_waited)] {
            if part > 0.001 {
                why.push(format!(
                    "the {name} thread waited for a core for {} of the run",
                    percent(part)
                ));
            }
        }
        if self.gaps.part() > 0.001 {
            why.push(format!(
                "a spinning thread missed {} of its time, at most {} us at once",
                percent(self.gaps.part()),
                self.gaps.max_ns / 1_000
            ));
        }
        if self.p50_spread > 0.05 {
            why.push(format!(
                "the middle half of the rounds' p50 lies {} apart",
                percent(self.p50_spread)
            ));
        }
        (self.noisy, self.why) = (!why.is_empty(), why);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_writes_is_read() {
        let text = "processor\t: 0\nmodel name\t: A B\nsiblings : 4\ncpu cores : 2\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A B"));
        assert_eq!(number(text, "siblings"), Some(4));
        assert_eq!(number("MemTotal:       24689224 kB", "MemTotal"), Some(24_689_224));
        assert_eq!(chosen("always [madvise] never"), Some("madvise"));
        let times = SystemTimes::parse("cpu  10 0 5 80 0 0 1 4 0 0\ncpu0 1 1\n");
        assert_eq!(times, SystemTimes { all: 100, stolen: 4 });
        let later = SystemTimes { all: 300, stolen: 14 };
        assert_eq!(later.steal_since(&times), 0.05);
    }

    #[test]
    fn gaps_are_what_a_spinning_thread_missed() {
        /// Reads of the clock take 20 ns, but one that takes longer.
        struct Steps(u64);
        impl Time for Steps {
            fn now(&mut self) -> u64 {
                self.0 += if self.0 == 20_000 { 3_000_000 } else { 20 };
                self.0
            }
        }
        let gaps = Gaps::spin(&mut Steps(0), Duration::from_millis(10));
        assert_eq!(gaps, Gaps { spun_ms: 10, count: 1, sum_ns: 3_000_000, max_ns: 3_000_000 });
        let noise = Noise { gaps, ..Noise::default() }.judged(2);
        assert_eq!(
            noise.why,
            ["a spinning thread missed 30.00 % of its time, at most 3000 us at once"]
        );
        assert!(!Noise::default().judged(2).noisy);
    }
}
