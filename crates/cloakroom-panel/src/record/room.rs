/// How much of one request may still be kept.
#[derive(Debug)]
pub(super) struct Room {
    bytes: usize,
    entries: usize,
    left_out: usize,
}

impl Room {
    /// 64 KiB of values and names, and 300 steps.
    pub(super) fn new() -> Self {
        Self {
            bytes: 64 * 1024,
            entries: 300,
            left_out: 0,
        }
    }

    /// Takes some, if there is as much.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => false,
        }
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Takes the room of a step.
    pub(super) fn take_entry(&mut self) -> bool {
        match self.entries.checked_sub(1) {
            Some(left) => {
                self.entries = left;
                true
            }
            None => {
                self.leave_out();
                false
            }
        }
    }

    pub(super) fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
    }

    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }
}
