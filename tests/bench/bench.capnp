# bench.proto in Cap'n Proto's language.
@0xc1d5f2a90b7e4638;

interface Bench {
	echo @0 (text :Text, number :UInt64) -> (text :Text);
	store @1 (data :Data) -> (sizeBytes :UInt64);
}
