//! Checks that the codec needs no operating system.
//!
//! A program may have one handler for panics, and the standard library brings one. So a crate that has its own and uses the codec
//! compiles only if neither the codec nor anything it depends on links the standard library. That holds on every target; no
//! bare-metal one has to be installed.

use std::path::Path;

use crate::run;

const SOURCE: &str = "\
#![no_std]
extern crate bgp_wire;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

/// Compiles such a crate, kept among the build's own files.
pub(crate) fn check() -> Result<(), String> {
    let folder = run::root().join("target/no-std");
    let codec = run::root().join("bgp-wire");
    let manifest = format!(
        "[package]\nname = \"no-std\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[lib]\npath = \"lib.rs\"\n\n\
         [dependencies]\nbgp-wire = {{ path = {:?}, default-features = false }}\n",
        codec.display().to_string()
    );
    write(&folder, "Cargo.toml", manifest.as_bytes())?;
    write(&folder, "lib.rs", SOURCE.as_bytes())?;
    // The same versions as everywhere else; what the codec does not need is dropped from the list.
    let lock = std::fs::read(run::root().join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    write(&folder, "Cargo.lock", &lock)?;
    let mut command = run::command(&run::cargo_program(), &["check", "--quiet"]);
    command.current_dir(&folder);
    run::finish(command, "cargo check of bgp-wire without the standard library")
}

fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), String> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, content))
        .map_err(|error| format!("{}: {error}", path.display()))
}
