//! Repeatable randomness. Every subject (a container, an image, an owner) gets its own stream derived from
//! the seed and its name, so that adding one workload leaves the bytes of all others as they were.

/// A random stream with the draws that log lines need.
pub struct Dice(fastrand::Rng);

impl Dice {
    /// The stream that belongs to `subject` under `seed`.
    pub fn of(seed: u64, subject: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in seed.to_le_bytes().iter().chain(subject.as_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(fastrand::Rng::with_seed(hash))
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high)
    }

    /// True in `percent` of 100 throws.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.0.u64(..100) < percent
    }

    /// One of `items`, which is never empty: all callers pass a table written in the source.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.0.usize(..items.len())]
    }

    /// `length` characters out of `alphabet` (ASCII).
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(self.pick(alphabet))).collect()
    }

    /// `length` lower-case hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        self.text(b"0123456789abcdef", length)
    }

    /// Base64-looking filler.
    pub fn base64(&mut self, length: usize) -> String {
        self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", length)
    }

    /// A version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let (head, middle, tail) = (self.hex(8), self.hex(4), self.hex(12));
        let (version, variant) = (self.hex(3), self.hex(3));
        format!("{head}-{middle}-4{version}-{}{variant}-{tail}", self.pick(&['8', '9', 'a', 'b']))
    }

    /// An address out of the documentation networks of RFC 5737.
    pub fn public_ip(&mut self) -> String {
        let network = self.pick(&["192.0.2", "198.51.100", "203.0.113"]);
        format!("{network}.{}", self.between(1, 254))
    }

    /// The address of some pod in the cluster.
    pub fn pod_ip(&mut self) -> String {
        format!("10.42.{}.{}", self.between(0, 7), self.between(2, 250))
    }

    /// A port as a client's kernel hands it out.
    pub fn client_port(&mut self) -> u64 {
        self.between(32_768, 60_999)
    }

    /// A latency in microseconds: mostly a few milliseconds, with a long tail.
    pub fn latency_micros(&mut self) -> u64 {
        let usual = self.between(700, 38_000);
        if self.percent(8) { usual * self.between(6, 40) } else { usual }
    }

    /// An HTTP status: nine out of ten are 2xx.
    pub fn status(&mut self) -> u64 {
        match self.between(0, 99) {
            0..=79 => 200,
            80..=85 => 201,
            86..=89 => 204,
            90..=92 => 404,
            93..=94 => self.pick(&[400, 401, 409, 429]),
            95..=97 => 500,
            _ => self.pick(&[502, 503, 504]),
        }
    }
}
