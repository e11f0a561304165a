//! A certificate for `localhost`, in files as an administrator has them.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// A directory with `certificate.pem` and `key.pem`, removed in the end.
pub(crate) struct Files {
    directory: PathBuf,
    /// What is in the certificate file.
    pub(crate) certificate: Vec<u8>,
}

impl Files {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("campana-turn-{}-{number}", process::id());
        let mut files = Self {
            directory: env::temp_dir().join(name),
            certificate: Vec::new(),
        };
        fs::create_dir_all(&files.directory).unwrap();
        files.renew();
        files
    }

    /// Puts another certificate in its place.
    pub(crate) fn renew(&mut self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        self.certificate = made.cert.der().to_vec();
        fs::write(self.directory.join("certificate.pem"), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        fs::write(self.directory.join("key.pem"), key).unwrap();
    }

    /// Puts what is no certificate in its place.
    #[allow(dead_code, reason = "not every test breaks it")]
    pub(crate) fn damage(&self) {
        fs::write(self.directory.join("certificate.pem"), "not PEM").unwrap();
    }

    /// The keys of the configuration that name them.
    pub(crate) fn lines(&self) -> String {
        let directory = self.directory.display();
        format!("certificate = '{directory}/certificate.pem'\nkey = '{directory}/key.pem'")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);
