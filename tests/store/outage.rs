//! Databases that go away.
