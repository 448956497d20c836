//! The page of a run shows the figures of its record: in the text as it is written, and as a real browser
//! shows it on a desk, on a phone and on paper. The browser is a Chromium that is installed, or the one in
//! `target/peers`, which the test makes where SPINDLE_INSTALL_PEERS is set.

mod made;

use std::path::{Path, PathBuf};
use std::process::Command;

use spindle_lab::page::page;
use spindle_lab::record::Record;

/// Cells of the page: the name of the figure, and what is shown.
fn cells(html: &str) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    for piece in html.split("<td data-figure=\"").skip(1) {
        let (name, rest) = piece.split_once("\">").expect("a cell");
        let (shown, _) = rest.split_once("</td>").expect("its end");
        cells.push((name.to_owned(), shown.to_owned()));
    }
    cells
}

/// A time as it is shown, in nanoseconds, and the half of its last digit.
fn nanoseconds(shown: &str) -> (f64, f64) {
    let (value, unit) = shown.split_once(' ').expect("a value and its unit");
    let unit = match unit {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        other => panic!("the unit {other}"),
    };
    let places = value.split_once('.').map_or(0, |(_, places)| places.len());
    let digit = 10_f64.powi(-i32::try_from(places).expect("few"));
    (value.parse::<f64>().expect("a number") * unit, 0.5 * digit * unit)
}

/// Every figure that the page shows against the JSON of the record.
fn compare(html: &str, json: &serde_json::Value) {
    let cells = cells(html);
    assert!(cells.len() >= 12 + 15, "{} cells", cells.len());
    for (name, shown) in cells {
        let value = match name.contains('/') {
            true => json.pointer(&format!("/{name}")),
            false => json.pointer(&format!("/figures/{name}/median")),
        };
        let value =
            value.and_then(serde_json::Value::as_f64).unwrap_or_else(|| panic!("no {name}"));
        let (told, half) = nanoseconds(&shown);
        assert!(
            (told - value).abs() <= half * 1.001,
            "{name}: shown {shown}, in the record {value}"
        );
    }
}

fn record() -> (Record, serde_json::Value) {
    let record = made::record(12_345);
    let json = serde_json::from_str(&record.text().expect("JSON")).expect("JSON");
    (record, json)
}

#[test]
fn the_page_as_written_shows_the_figures_of_the_json() {
    let (record, json) = record();
    let html = page(&record);
    compare(&html, &json);
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(outside), "the page must load nothing: {outside}");
    }
    assert!(html.contains("A &lt;processor&gt;") && html.contains("bytes &lt;read&gt;"));
    let short = &json["wire"];
    for name in
        ["p50_ns", "p99_ns", "floor_p50_ns", "floor_p99_ns", "engine_p50_ns", "engine_p99_ns"]
    {
        assert!(short[name].as_u64().is_some_and(|value| value > 0), "{name}");
    }
    assert_eq!(short["voided"], false);
}

/// Asked of the page by itself: how wide it and its window are, how many pictures are shown, the colour behind it, the
/// least contrast of a text with what is behind it in hundredths, and the smallest text in tenths of a pixel.
const PROBE: &str = r#"<script>(function () {
  function rgb(text) { return (text.match(/[\d.]+/g) || []).map(Number); }
  function light(c) {
    return [0.2126, 0.7152, 0.0722].reduce(function (sum, part, at) {
      var v = c[at] / 255;
      return sum + part * (v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4));
    }, 0);
  }
  function behind(e) {
    if (e.closest(".seg")) { return rgb(getComputedStyle(e.closest(".seg").querySelector("rect")).fill); }
    for (; e; e = e.parentElement) {
      var c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0.9) { return c; }
    }
    return [255, 255, 255];
  }
  var data = document.body.dataset, worst = 100, small = 1000, which = "";
  document.querySelectorAll("body *").forEach(function (e) {
    var own = Array.from(e.childNodes).some(function (n) { return n.nodeType === 3 && n.data.trim(); });
    var box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!own || !box.width || e.tagName === "SCRIPT" || e.tagName === "title") { return; }
    var svg = e.ownerSVGElement;
    var scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    small = Math.min(small, parseFloat(style.fontSize) * scale);
    var a = light(rgb(svg ? style.fill : style.color)), b = light(behind(e));
    var contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < worst) { worst = contrast; which = e.tagName + "." + e.className + ": " + e.textContent; }
  });
  data.contrast = Math.floor(100 * worst);
  data.which = which.slice(0, 60);
  data.small = Math.floor(10 * small);
  var ground = rgb(getComputedStyle(document.body).backgroundColor);
  data.ground = 65536 * ground[0] + 256 * ground[1] + ground[2];
  data.wide = document.documentElement.scrollWidth;
  data.size = innerWidth;
  data.shown = Array.from(document.querySelectorAll("svg")).filter(function (s) {
    return s.getBoundingClientRect().width > 0;
  }).length;
})();</script>"#;

/// Light and dark, as the setting that a browser is started with has it.
const LIGHT: &str = "--blink-settings=preferredColorScheme=1";
const DARK: &str = "--blink-settings=preferredColorScheme=0";

/// What a browser says of the page in a window.
fn browse(
    browser: &Browser,
    folder: &Path,
    html: &str,
    (width, height): (u32, u32),
    scheme: &str,
) -> String {
    let file = folder.join("page.html");
    std::fs::write(&file, html.replace("</body>", &format!("{PROBE}</body>"))).expect("a file");
    let output = browser
        .command()
        .args(["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom", scheme])
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("the browser runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn attribute(dom: &str, name: &str) -> u32 {
    let (_, rest) = dom.split_once(&format!("data-{name}=\"")).expect("the probe ran");
    rest.split('"').next().and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn a_browser_shows_the_figures_of_the_json_on_a_desk_and_on_a_phone() {
    let browser = match Browser::find() {
        Ok(browser) => browser,
        Err(why) => {
            println!("SKIPPED: no browser to show the page in ({why})");
            return;
        }
    };
    let (record, json) = record();
    let html = page(&record);
    let folder = tempfile::tempdir().expect("a folder");
    // As paper has it: what is meant for print, in a window as wide as a sheet.
    let printed = html.replace("@media print", "@media all");
    assert_ne!(printed, html);
    let mut grounds = Vec::new();
    for (what, html, size, scheme) in [
        ("desk", &html, (1_280, 900), LIGHT),
        ("desk", &html, (1_280, 900), DARK),
        ("phone", &html, (390, 844), LIGHT),
        ("phone", &html, (390, 844), DARK),
        ("paper", &printed, (794, 1_123), DARK),
    ] {
        let dom = browse(&browser, folder.path(), html, size, scheme);
        compare(&dom, &json);
        let (window, wide) = (attribute(&dom, "size"), attribute(&dom, "wide"));
        assert!(wide <= window, "{what}: the page is {wide} wide in a window of {window}");
        assert_eq!(attribute(&dom, "shown"), 4, "{what}: each picture is shown once");
        // What the accessibility guidelines ask of text.
        let contrast = attribute(&dom, "contrast");
        let which = dom.split_once("data-which=\"").map_or("", |(_, rest)| rest);
        let which = which.split('"').next().unwrap_or_default();
        assert!(contrast >= 450, "{what}, {scheme}: contrast {contrast} of {which}");
        assert!(attribute(&dom, "small") >= 100, "{what}: text of {}", attribute(&dom, "small"));
        grounds.push(attribute(&dom, "ground"));
    }
    let white = 0x00ff_ffff;
    assert_eq!([grounds[0], grounds[2], grounds[4]], [white; 3], "light, and paper always");
    assert!(grounds[1] < 0x30_3030 && grounds[1] == grounds[3], "dark is dark: {grounds:?}");
}

/// A Chromium.
struct Browser {
    program: PathBuf,
    libraries: Option<String>,
}

impl Browser {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    fn runs(self) -> Option<Self> {
        let output = self.command().arg("--version").output().ok()?;
        output.status.success().then_some(self)
    }

    fn find() -> Result<Self, String> {
        let names = ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"];
        let named = std::env::var_os("SPINDLE_CHROMIUM").map(PathBuf::from);
        let known = named.into_iter().chain(names.map(PathBuf::from));
        let mut known = known.map(|program| Self { program, libraries: None });
        if let Some(browser) = known.find_map(Self::runs) {
            return Ok(browser);
        }
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/chromium");
        if let Some(browser) = Self::unpacked(&peers.join("root")).runs() {
            return Ok(browser);
        }
        if std::env::var_os("SPINDLE_INSTALL_PEERS").is_none() {
            return Err("none is installed; set SPINDLE_INSTALL_PEERS to get one".to_owned());
        }
        unpack(&peers)?;
        let browser = Self::unpacked(&peers.join("root")).runs();
        browser.ok_or_else(|| "Chromium was unpacked and does not run".to_owned())
    }

    /// The one in a folder that packages were unpacked into.
    fn unpacked(root: &Path) -> Self {
        let libraries = root.join("usr/lib/x86_64-linux-gnu");
        let libraries = [libraries.clone(), libraries.join("pulseaudio")];
        let libraries = libraries.map(|path| path.display().to_string()).join(":");
        let program = root.join("usr/lib/chromium/chromium-headless-shell");
        Self { program, libraries: Some(libraries) }
    }
}

/// Gets the packages through the system's own client and unpacks them beside the build, without
/// installing anything.
fn unpack(peers: &Path) -> Result<(), String> {
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| error.to_string())?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(errors) }
    };
    let archives = peers.join("archives");
    std::fs::create_dir_all(archives.join("partial")).map_err(|error| error.to_string())?;
    let peers = peers.canonicalize().map_err(|error| error.to_string())?;
    let cache = format!("Dir::Cache::archives={}", peers.join("archives").display());
    let wanted = ["install", "--yes", "--no-install-recommends", "--download-only", "-o", &cache];
    run(Command::new("apt-get").args(wanted).arg("chromium-headless-shell"))?;
    for entry in std::fs::read_dir(&archives).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(peers.join("root")))?;
        }
    }
    Ok(())
}
