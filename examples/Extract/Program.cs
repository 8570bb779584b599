using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

// Writes embedded resources of an assembly to files. The assembly is read and never loaded: it need not run here.
//   Extract ASSEMBLY (RESOURCE FILE)…
using var image = new PEReader(File.OpenRead(args[0]));
var metadata = image.GetMetadataReader();
var section = image.GetSectionData(image.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress);
foreach (string[] pair in args.Skip(1).Chunk(2))
{
    var resource = metadata.ManifestResources.Select(metadata.GetManifestResource)
        .Single(r => metadata.GetString(r.Name) == pair[0] && r.Implementation.IsNil);
    // The length of a resource stands before its bytes.
    int length = section.GetReader((int)resource.Offset, sizeof(int)).ReadInt32();
    Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(pair[1]))!);
    // Under another name until it is whole: a build may be stopped at any moment.
    string part = pair[1] + ".part";
    File.WriteAllBytes(part, section.GetContent((int)resource.Offset + sizeof(int), length).AsSpan());
    File.Move(part, pair[1], overwrite: true);
}
