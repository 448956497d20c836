//! The journal on a real ext4, in a file on a loop device, that is shut down at any moment without its log flushed, mounted again and
//! recovered: what was committed is there, each record once and in order. Where mounting is not allowed it says so and is
//! skipped.
//!
//! By hand, with more cuts: `SPINDLE_POWER_CUTS=10000 cargo test -p spindle-journal --test does_a_real_file_system_lose_nothing`.

mod tools;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use spindle_journal::Settings;
use spindle_journal::disk::{Disk, FileId, PlainDisk, UringDisk};
use tools::{Chance, Written, open, payload, records};

/// Small, so that segments are made all the time.
const SETTINGS: Settings = Settings { segment_bytes: 16 << 10 };

/// `FS_IOC_SHUTDOWN` of Linux: `_IOR('X', 125, __u32)`.
const SHUTDOWN: libc::c_ulong = 0x8004_587d;

/// Its flag that leaves the log as it is on the device: a power cut.
const NO_LOG_FLUSH: u32 = 2;

/// A file system in a file; unmounted when it goes.
struct Mounted {
    image: PathBuf,
    place: PathBuf,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

impl Mounted {
    fn new(folder: &Path) -> Result<Self, String> {
        let (image, place) = (folder.join("image"), folder.join("mounted"));
        File::create(&image).and_then(|file| file.set_len(24 << 20)).map_err(|e| e.to_string())?;
        std::fs::create_dir(&place).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", &image.to_string_lossy()])?;
        let mounted = Self { image, place };
        mounted.mount()?;
        Ok(mounted)
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop", &self.image.to_string_lossy(), &self.place.to_string_lossy()])
    }

    fn unmount(&self) -> Result<(), String> {
        run("umount", &[&self.place.to_string_lossy()])
    }

    /// Cuts the power: nothing that was not made safe is written any more.
    #[allow(unsafe_code, reason = "a system call that no library has")]
    fn cut(&self) -> Result<(), String> {
        let place = File::open(&self.place).map_err(|error| error.to_string())?;
        let flag = NO_LOG_FLUSH;
        // SAFETY: the descriptor is open, and the call reads the four bytes behind the pointer and nothing else.
        let result = unsafe { libc::ioctl(place.as_raw_fd(), SHUTDOWN as _, &raw const flag) };
        match result {
            0 => Ok(()),
            _ => Err(format!("shutdown: {}", std::io::Error::last_os_error())),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = self.unmount();
    }
}

/// What a disk does in place of making a group safe before it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// It writes and does not sync.
    Never,
    /// It syncs what was written before, and then writes.
    Late,
}

/// A disk that says that a group is safe before it is.
struct Liar(PlainDisk, Lie);

impl Disk for Liar {
    fn place(&self) -> &Path {
        self.0.place()
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        self.0.names()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<FileId> {
        self.0.create(name, bytes)
    }

    fn open(&mut self, name: &str) -> io::Result<FileId> {
        self.0.open(name)
    }

    fn close(&mut self, file: FileId) {
        self.0.close(file);
    }

    fn length(&mut self, file: FileId) -> io::Result<u64> {
        self.0.length(file)
    }

    fn extend(&mut self, file: FileId, bytes: u64) -> io::Result<()> {
        self.0.extend(file, bytes)
    }

    fn read(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read(file, offset, into)
    }

    fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write(file, offset, bytes)
    }

    fn sync(&mut self, file: FileId) -> io::Result<()> {
        self.0.sync(file)
    }

    fn write_and_sync(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.1 == Lie::Late {
            self.0.sync(file)?;
        }
        self.0.write(file, offset, bytes)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.0.sync_directory()
    }
}

fn disk(place: &Path, cut: u64, lie: Option<Lie>) -> Box<dyn Disk> {
    if let Some(lie) = lie {
        return Box::new(Liar(PlainDisk::open(place).expect("the directory"), lie));
    }
    if cut % 2 == 1
        && let Ok(disk) = UringDisk::open(place)
    {
        return Box::new(disk);
    }
    Box::new(PlainDisk::open(place).expect("the directory"))
}

/// Cuts the power so often, and says how that went; an error is what was lost.
fn cut_often(mounted: &Mounted, cuts: u64, lie: Option<Lie>) -> Result<String, String> {
    let place = mounted.place.join("journal");
    let (mut written, mut acknowledged) = (Vec::<Written>::new(), 0);
    let (mut torn, mut nested, mut rotated) = (0, 0, 0);
    for cut in 0..cuts {
        let mut chance = Chance(cut);
        if cut % 64 == 0 {
            // A new journal now and then: the device is small.
            let _ = std::fs::remove_dir_all(&place);
            std::fs::create_dir(&place).expect("made");
            File::open(&mounted.place).and_then(|it| it.sync_all()).expect("synced");
            written.clear();
            acknowledged = 0;
        }
        let mut reading = PlainDisk::open(&place).expect("the directory");
        let (found, scanned) =
            records(&mut reading).map_err(|error| format!("cut {cut}: {error}"))?;
        // What is open holds the file system.
        drop(reading);
        torn += u32::from(scanned.torn.is_some());
        if found.len() < acknowledged {
            return Err(format!("cut {cut}: {acknowledged} were safe, {} are there", found.len()));
        }
        assert_eq!(found, written[..found.len()], "cut {cut}");
        written.truncate(found.len());
        let (mut journal, again) = open(disk(&place, cut, lie), SETTINGS)
            .unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        assert_eq!(again, found);
        acknowledged = found.len();
        let before = journal.segment();
        // Some cuts hit the recovery itself.
        let count = if cut % 7 == 3 { 0 } else { chance.below(60) };
        nested += u32::from(count == 0);
        for _ in 0..count {
            let payload = payload(&mut chance, 700);
            let sequence = journal.append(2, cut, &payload).expect("it fits");
            written.push((sequence, 2, cut, payload));
            if chance.below(4) == 0 {
                journal.commit().expect("committed");
                acknowledged = written.len();
            }
        }
        rotated += journal.segment() - before;
        // What is gathered and not committed is written by nobody, or was before a segment was made.
        acknowledged = acknowledged.max(usize::try_from(journal.durable()).expect("few"));
        mounted.cut().unwrap_or_else(|why| panic!("cut {cut}: {why}"));
        drop(journal);
        mounted.unmount().unwrap_or_else(|why| panic!("cut {cut}: {why}"));
        mounted.mount().unwrap_or_else(|why| panic!("cut {cut}: {why}"));
    }
    assert!(rotated > 0 || cuts < 10);
    let (tails, made) = (format!("{torn} torn tails"), format!("{rotated} segments made"));
    Ok(format!("{cuts} power cuts, {nested} in a recovery, {tails}, {made}"))
}

/// One test at a time: a program that the other starts has, for a moment, the files of both, and nothing can be unmounted.
static ALONE: Mutex<()> = Mutex::new(());

/// A file system to be cut off, where one can be mounted.
fn mounted(folder: &tempfile::TempDir) -> Option<Mounted> {
    Mounted::new(folder.path())
        .inspect_err(|why| println!("skipped: no file system can be mounted here: {why}"))
        .ok()
}

#[test]
fn what_was_committed_is_there_after_every_power_cut() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let cuts = std::env::var("SPINDLE_POWER_CUTS").ok().and_then(|cuts| cuts.parse().ok());
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mounted) = mounted(&folder) else { return };
    match cut_often(&mounted, cuts.unwrap_or(40), None) {
        Ok(said) => println!("{said}"),
        Err(lost) => panic!("{lost}"),
    }
}

/// The cuts do cut: whoever acknowledges before the sync is found out.
#[test]
fn what_was_acknowledged_before_its_sync_is_lost_and_found_missing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for lie in [Lie::Never, Lie::Late] {
        let folder = tempfile::tempdir().expect("a folder");
        let Some(mounted) = mounted(&folder) else { return };
        let lost = cut_often(&mounted, 10, Some(lie)).expect_err("something is lost");
        println!("{lie:?}: {lost}");
    }
}
