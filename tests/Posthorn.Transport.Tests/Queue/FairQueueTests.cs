using CsCheck;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Queue;

public sealed class FairQueueTests
{
    [Fact]
    public void Origins_take_turns_and_who_may_not_have_one_keeps_its_place()
    {
        FairQueue<int> queue = new();
        Assert.True(queue.Enqueue("a", 1));
        Assert.False(queue.Enqueue("a", 2));
        Assert.True(queue.Enqueue("b", 3));
        Assert.Equal("a", queue.Next);
        Assert.True(queue.TryDequeue(origin => origin != "a", out int item));
        Assert.Equal(3, item);
        Assert.False(queue.TryDequeue(origin => origin != "a", out _));
        Assert.Equal(2, queue.Count);
        Assert.True(queue.TryDequeue(out item));
        Assert.Equal(1, item);
    }

    /// <summary>Whatever is done to it, nothing is lost, nothing comes twice, and each origin's items come in their order.</summary>
    [Fact]
    public void Nothing_is_lost_and_nothing_comes_twice() =>
        Gen.Select(Gen.Int[0, 4], Gen.Int[0, 3]).Array[0, 200].Sample(steps =>
        {
            FairQueue<(int Origin, int Number)> queue = new();
            Queue<int>[] expected = [.. Enumerable.Range(0, 5).Select(_ => new Queue<int>())];
            int number = 0;
            foreach ((int origin, int what) in steps)
            {
                if (what <= 1)
                {
                    Assert.Equal(expected[origin].Count == 0, queue.Enqueue($"{origin}", (origin, ++number)));
                    expected[origin].Enqueue(number);
                }
                else if (what == 2)
                {
                    bool any = queue.TryDequeueOf($"{origin}", out (int Origin, int Number) item);
                    Assert.Equal(expected[origin].Count > 0, any);
                    if (any) Assert.Equal((origin, expected[origin].Dequeue()), item);
                }
                else
                {
                    string? next = queue.Next;
                    bool any = queue.TryDequeue(out (int Origin, int Number) item);
                    Assert.Equal(expected.Any(lane => lane.Count > 0), any);
                    if (any) Assert.Equal(($"{item.Origin}", expected[item.Origin].Dequeue()), (next, item.Number));
                    else Assert.Null(next);
                }
                Assert.Equal(expected.Sum(lane => lane.Count), queue.Count);
            }
        });
}
