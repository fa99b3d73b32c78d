//! Runs a test on Debian's own kernel in a virtual machine, for what the kernel below may lack.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::fs::symlink,
    panic::UnwindSafe,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::test_name;

const INSIDE: &str = "FIB_TEST_GUEST";
const PACKAGES: &str =
    "install the Debian packages qemu-system-x86 linux-image-cloud-amd64 busybox-static cpio iproute2";
const MODULES: [&str; 2] = ["vrf", "veth"];
/// How long the machine may take altogether before it is taken for hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a test's body as the only program of a virtual machine with VRF devices.
pub(crate) fn in_guest(body: impl Fn() + UnwindSafe) {
    if env::var_os(INSIDE).is_some() {
        super::ip("link set lo up");
        return body();
    }
    let (kernel, modules) = cloud_kernel();
    let directory = tempfile::tempdir().unwrap();
    let image = initial_ram_disk(directory.path(), &modules, &test_name(&body));
    let console = boot(&kernel, &image);
    assert!(console.contains("the test passed"), "{console}");
    assert!(console.contains("1 passed"), "nothing ran: {console}");
}

/// The newest cloud kernel and the directory of its modules.
fn cloud_kernel() -> (PathBuf, PathBuf) {
    let mut versions: Vec<String> = fs::read_dir("/boot")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("vmlinuz-").map(str::to_owned))
        .filter(|version| version.contains("-cloud-"))
        .collect();
    versions.sort();
    let version = versions.pop().unwrap_or_else(|| panic!("no kernel in /boot; {PACKAGES}"));
    let modules = Path::new("/lib/modules").join(&version).join("kernel/drivers/net");
    (format!("/boot/vmlinuz-{version}").into(), modules)
}

fn initial_ram_disk(directory: &Path, modules: &Path, test: &str) -> PathBuf {
    let root = directory.join("root");
    for name in ["bin", "proc", "sys", "dev", "tmp"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    copy(Path::new("/bin/busybox"), &root.join("bin/busybox"));
    for applet in ["sh", "mount", "insmod", "poweroff", "ping", "cat"] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    for module in MODULES {
        let file = format!("{module}.ko");
        copy(&modules.join(&file), &root.join(&file));
    }
    let ip = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].map(Path::new).into_iter().find(|path| path.exists());
    copy_program(ip.unwrap_or_else(|| panic!("no ip; {PACKAGES}")), &root, "bin/ip");
    for program in ["unshare", "nsenter"] {
        copy_program(&Path::new("/usr/bin").join(program), &root, &format!("bin/{program}"));
    }
    copy_program(&env::current_exe().unwrap(), &root, "bin/test");
    let init = format!(
        "#!/bin/sh\n\
         export PATH=/bin {INSIDE}=1\n\
         mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n\
         for module in {modules}; do insmod /$module.ko; done\n\
         /bin/test --exact {test} --nocapture --test-threads=1 && echo the test passed\n\
         poweroff -f\n",
        modules = MODULES.join(" ")
    );
    fs::write(root.join("init"), init).unwrap();
    make_executable(&root.join("init"));
    let image = directory.join("image");
    let mut pack = Command::new("cpio")
        .args(["--quiet", "-o", "-H", "newc", "-F"])
        .arg(&image)
        .current_dir(&root)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("no cpio ({error}); {PACKAGES}"));
    let mut names = String::new();
    list(&root, Path::new(""), &mut names);
    pack.stdin.take().unwrap().write_all(names.as_bytes()).unwrap();
    assert!(pack.wait().unwrap().success(), "cpio failed");
    image
}

/// Copies a program and the libraries that it is linked with, each to where the linker looks.
fn copy_program(program: &Path, root: &Path, name: &str) {
    copy(program, &root.join(name));
    let output = Command::new("ldd").arg(program).output().expect("no ldd; install the Debian package libc-bin");
    for word in String::from_utf8_lossy(&output.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
        let target = root.join(word.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        if !target.exists() {
            copy(Path::new(word), &target);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}; {PACKAGES}", from.display()));
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn list(root: &Path, below: &Path, names: &mut String) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = below.join(entry.file_name());
        *names += &format!("{}\n", name.display());
        if entry.file_type().unwrap().is_dir() {
            list(root, &name, names);
        }
    }
}

/// Starts the machine, waits until it turns itself off, and gives what it wrote to its console.
fn boot(kernel: &Path, image: &Path) -> String {
    let mut machine = Command::new("qemu-system-x86_64")
        // Emulated: KVM may be there and yet not work where this is a virtual machine already.
        .args(["-accel", "tcg", "-cpu", "max", "-m", "512", "-nographic", "-no-reboot", "-nic", "none"])
        .args(["-append", "console=ttyS0 quiet panic=1"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(image)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("no qemu-system-x86_64 ({error}); {PACKAGES}"));
    let mut output = machine.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut console = Vec::new();
        output.read_to_end(&mut console).unwrap();
        String::from_utf8_lossy(&console).into_owned()
    });
    let deadline = Instant::now() + PATIENCE;
    while machine.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            machine.kill().unwrap();
            machine.wait().unwrap();
            panic!("the virtual machine hangs: {}", reader.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    reader.join().unwrap()
}
