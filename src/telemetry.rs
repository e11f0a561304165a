//! Span, field and metric names.
