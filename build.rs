//! Lists the files of `web/dist`, when it was built, so that the binary holds the page.
//!
//! Without `web/dist` the list is empty and the build needs nothing but Rust.
#![allow(clippy::print_stdout, reason = "build scripts talk to cargo on stdout")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let dist = root.join("web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    // A path that does not exist would make cargo build anew every time.
    for watched in [&dist, &root.join("web")] {
        if watched.is_dir() {
            println!("cargo::rerun-if-changed={}", watched.display());
            break;
        }
    }

    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist, &dist, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (url, file) in files {
        writeln!(table, "    ({url:?}, include_bytes!({file:?})),")?;
    }
    table.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("page.rs"), table)?;
    Ok(())
}

/// URL path and file of everything below `folder`.
fn collect(
    dist: &Path,
    folder: &Path,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(dist, &path, files)?;
        } else {
            let parts: Vec<_> = path
                .strip_prefix(dist)?
                .iter()
                .map(|part| part.to_string_lossy())
                .collect();
            files.push((format!("/{}", parts.join("/")), path));
        }
    }
    Ok(())
}
