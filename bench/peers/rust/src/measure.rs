//! The rules of bench/measure.h in Rust: minimum and median of repetitions, pinned threads, one agreed start, wall
//! time of the slowest thread, draining outside the timed part; a round in which a thread came late or lost its cpu is
//! taken again, within limits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

pub const THREADS: usize = 4;
const REP_NS: u64 = 3_000_000;
const REP4_NS: u64 = 1_000_000;
const ROUND_NS: u64 = 100_000;
const LATE_NS: u64 = 1000;
const SPOILT_NS: u64 = 4_000_000_000;

fn preemptions() -> i64 {
    unsafe {
        let mut u: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut u);
        u.ru_nivcsw as i64
    }
}

fn cpu_ns() -> u64 {
    unsafe {
        let mut t: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t);
        t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
    }
}

pub struct Bench {
    pub reps: usize,
    pub only: String,
    pub memory: bool,
    cpus: Vec<usize>,
}

impl Bench {
    pub fn new() -> Bench {
        let mut b = Bench { reps: 21, only: String::new(), memory: false, cpus: Vec::new() };
        let mut args = std::env::args().skip(1);
        while let Some(a) = args.next() {
            match a.as_str() {
                "--reps" => b.reps = args.next().and_then(|v| v.parse().ok()).unwrap_or(21).clamp(9, 401),
                "--only" => b.only = args.next().unwrap_or_default(),
                "--memory" => b.memory = true,
                "--tsv" => {}
                _ => {
                    eprintln!("usage: peers [--tsv | --memory] [--reps N] [--only PREFIX]");
                    std::process::exit(2);
                }
            }
        }
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            if libc::sched_getaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &mut set) == 0 {
                b.cpus =
                    (0..libc::CPU_SETSIZE as usize).filter(|&c| libc::CPU_ISSET(c, &set)).take(THREADS).collect();
            }
        }
        b
    }

    pub fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.only)
    }

    fn pin(&self, index: usize) {
        if let Some(&cpu) = self.cpus.get(index) {
            unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(cpu, &mut set);
                libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &set);
            }
        }
    }

    /// Threads started by a library (export workers) may use every cpu, not just the one this thread is pinned to.
    pub fn unpin(&self) {
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            for &c in &self.cpus {
                libc::CPU_SET(c, &mut set);
            }
            libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &set);
        }
    }

    /// Returns the number of operations run, over all threads, warm-up included.
    pub fn run<F: Fn(usize, u64) + Sync>(
        &self,
        name: &str,
        label: &str,
        threads: usize,
        burst: u64,
        between: &dyn Fn(),
        body: F,
    ) -> u64 {
        let name = format!("{name}.{threads}t");
        if !self.wants(&name) {
            return 0;
        }
        self.pin(if threads > 1 { 0 } else { self.cpus.len().saturating_sub(1) });
        let (round, done, stop) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        let (lost, leader) = (AtomicU32::new(0), AtomicU64::new(0));
        let (start, count) = (AtomicU64::new(0), AtomicU64::new(0));
        let ends: Vec<AtomicU64> = (0..THREADS * 16).map(|_| AtomicU64::new(0)).collect();
        let origin = Instant::now();
        let now = || origin.elapsed().as_nanos() as u64;
        let work = |thread: usize| {
            let (s, n) = (start.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
            let before = preemptions();
            let mut begin = now();
            while begin < s {
                std::hint::spin_loop();
                begin = now();
            }
            body(thread, n);
            ends[thread * 16].store(now(), Ordering::Relaxed);
            if begin > s + LATE_NS || preemptions() != before {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut total_ops = 0u64;
        let mut values = Vec::new();
        std::thread::scope(|scope| {
            for thread in 1..threads {
                let (round, done, stop, work) = (&round, &done, &stop, &work);
                scope.spawn(move || {
                    self.pin(thread);
                    let mut seen = 0;
                    loop {
                        let mut r = round.load(Ordering::Acquire);
                        while r == seen {
                            std::hint::spin_loop();
                            r = round.load(Ordering::Acquire);
                        }
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        seen = r;
                        work(thread);
                        done.fetch_add(1, Ordering::Release);
                    }
                });
            }
            let mut one_round = |ops: u64| -> u64 {
                count.store(ops, Ordering::Relaxed);
                done.store(0, Ordering::Relaxed);
                lost.store(0, Ordering::Relaxed);
                let cpu = cpu_ns();
                let s = now() + 3000;
                start.store(s, Ordering::Relaxed);
                round.fetch_add(1, Ordering::Release);
                work(0);
                leader.store(cpu_ns() - cpu, Ordering::Relaxed);
                while done.load(Ordering::Acquire) != threads as u32 - 1 {
                    std::hint::spin_loop();
                }
                let last = (0..threads).map(|t| ends[t * 16].load(Ordering::Relaxed)).max().unwrap();
                between();
                total_ops += ops * threads as u64;
                last.saturating_sub(s).max(1)
            };
            let (mut rounds, mut ops) = (1u64, if burst != 0 { burst } else { 64 });
            one_round(ops);
            loop {
                one_round(ops);
                if burst != 0 || leader.load(Ordering::Relaxed) * 2 > (if threads > 1 { ROUND_NS } else { REP_NS }) {
                    break;
                }
                ops *= 2;
            }
            while leader.load(Ordering::Relaxed) * rounds < (if threads > 1 { REP4_NS } else { REP_NS }) {
                rounds *= 2;
            }
            let mut patience = SPOILT_NS;
            for _ in 0..self.reps {
                let (mut total, mut good) = (0, 0);
                while good < rounds {
                    let begin = now();
                    let ns = one_round(ops);
                    if lost.load(Ordering::Relaxed) != 0 && patience > 0 {
                        patience = patience.saturating_sub(now() - begin);
                        continue;
                    }
                    total += ns;
                    good += 1;
                }
                values.push(total as f64 / (rounds as f64 * ops as f64));
            }
            stop.store(true, Ordering::Relaxed);
            round.fetch_add(1, Ordering::Release);
        });
        print(&name, "ns", label, &mut values);
        self.unpin();
        total_ops
    }

    /// One call per repetition; the value is `scale` times the nanoseconds of the call.
    pub fn each<F: FnMut() -> u64>(&self, name: &str, unit: &str, label: &str, reps: usize, scale: f64, mut body: F) {
        self.pin(self.cpus.len().saturating_sub(1));
        let mut values: Vec<f64> = (0..reps).map(|_| body() as f64 * scale).collect();
        print(name, unit, label, &mut values);
        self.unpin();
    }
}

pub fn print(name: &str, unit: &str, label: &str, values: &mut [f64]) {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let (min, median) = (values[0], values[values.len() / 2]);
    println!("{name}\t{min:.3}\t{unit}\t-\t{label}\t{min:.3}");
    println!("{name}.median\t{median:.3}\t{unit}\t-\t{label}\t{median:.3}");
}

/// The generator and the values of bench/measure.h.
pub fn random(state: &mut u64) -> u32 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*state >> 32) as u32
}

pub fn values() -> Vec<f64> {
    let mut state = 1u64;
    (0..4096)
        .map(|_| {
            let r = random(&mut state);
            (1u32 << (r % 14)) as f64 * (1.0 + (r >> 16) as f64 / 65536.0)
        })
        .collect()
}

pub fn order() -> Vec<u16> {
    let mut state = 2u64;
    let mut v: Vec<u16> = (0..4096).collect();
    for i in (1..4096usize).rev() {
        v.swap(i, random(&mut state) as usize % (i + 1));
    }
    v
}

/// Resident memory of this process in MB, NaN where the system does not say.
pub fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("Rss:")).unwrap_or("");
    line.trim().trim_end_matches(" kB").parse::<f64>().map_or(f64::NAN, |kib| kib / 1024.0)
}
