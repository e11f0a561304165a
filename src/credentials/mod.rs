//! Time-limited TURN credentials and XEP-0215 answers.
