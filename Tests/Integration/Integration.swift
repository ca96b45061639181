import Testing

/// Tests of the whole: the program as its users run it. One at a time: each runs processes of its own on two cores.
@Suite(.serialized) enum Integration {}
