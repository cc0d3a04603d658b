using System.Buffers;
using BenchmarkDotNet.Attributes;
using Posthorn.Bench.Load;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Benchmarks.Parts;

/// <summary>What is done to each message that comes in.</summary>
[MemoryDiagnoser]
public class MessageBenchmarks
{
    private byte[] _message = [];

    [Params(4096, 65536)]
    public int Size { get; set; }

    [GlobalSetup]
    public void Setup() => _message = new LoadMessage(Size, "bench").With(1);

    [Benchmark]
    public int Parse() => MimeStructure.Parse(_message, MimeLimits.Default).Count;

    [Benchmark]
    public int Envelope()
    {
        ArrayBufferWriter<byte> output = new(1024);
        EnvelopeWriter.Write(MimeStructure.Parse(_message, MimeLimits.Default).Root.Header(_message), MimeLimits.Default, output);
        return output.WrittenCount;
    }

    [Benchmark]
    public int PreviewText() => Preview.Make(_message, MimeStructure.Parse(_message, MimeLimits.Default), MimeLimits.Default).Length;

    [Benchmark]
    public long Facts() => MessageFacts.Of(_message, MimeLimits.Default).WireLength;
}
