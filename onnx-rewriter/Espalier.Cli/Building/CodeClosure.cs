using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Cli.Building;

/// <summary>
/// A hash of the code that a calibration method can reach in its assembly: of the policy's type, every type of the assembly that the
/// methods of such a type mention, and so on; and of the embedded resources. Code that reaches other code by reflection alone is
/// not seen. Row numbers in metadata shift with every edit, so code is hashed with names in their place.
/// </summary>
internal sealed class CodeClosure
{
    private static readonly Dictionary<int, OpCode> Codes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(f => (OpCode)f.GetValue(null)!).ToDictionary(o => (int)(ushort)o.Value);

    private readonly PEReader _file;
    private readonly MetadataReader _metadata;
    private readonly HashSet<string> _reached = new(StringComparer.Ordinal);
    private readonly Queue<TypeDefinitionHandle> _open = new();
    private readonly IncrementalHash _hash;

    private CodeClosure(PEReader file, IncrementalHash hash) => (_file, _metadata, _hash) = (file, file.GetMetadataReader(), hash);

    /// <summary>Adds the code to a hash.</summary>
    /// <param name="assembly">Path of the assembly.</param>
    /// <param name="policy">Full name of the policy, nested classes joined by a dot.</param>
    public static void Append(string assembly, string policy, IncrementalHash hash)
    {
        using var file = new PEReader(FolderLock.OpenRead(assembly));
        var closure = new CodeClosure(file, hash);
        foreach (var handle in closure._metadata.TypeDefinitions)
        {
            if (closure.Name(handle).Replace('+', '.') == policy) closure.Reach(handle);
        }
        // The order of the queue depends on nothing but the code itself.
        while (closure._open.TryDequeue(out var type)) closure.Type(type);
        closure.Resources();
    }

    private void Reach(TypeDefinitionHandle type)
    {
        var name = Name(type);
        // It has the array literals of the whole assembly; each is named after its content, and the name is hashed where it is used.
        if (!name.StartsWith("<PrivateImplementationDetails>", StringComparison.Ordinal) && _reached.Add(name)) _open.Enqueue(type);
    }

    private void Type(TypeDefinitionHandle handle)
    {
        var type = _metadata.GetTypeDefinition(handle);
        Text(Name(handle));
        if (!type.BaseType.IsNil) Token(MetadataTokens.GetToken(type.BaseType));
        foreach (var field in type.GetFields().Select(_metadata.GetFieldDefinition))
        {
            Text(_metadata.GetString(field.Name));
            Blob(field.Signature);
            if (!field.GetDefaultValue().IsNil) Blob(_metadata.GetConstant(field.GetDefaultValue()).Value);
        }
        foreach (var method in type.GetMethods().Select(_metadata.GetMethodDefinition))
        {
            Text(_metadata.GetString(method.Name));
            Blob(method.Signature);
            if (method.RelativeVirtualAddress != 0) Body(_file.GetMethodBody(method.RelativeVirtualAddress));
        }
    }

    private void Body(MethodBodyBlock body)
    {
        if (!body.LocalSignature.IsNil) Blob(_metadata.GetStandaloneSignature(body.LocalSignature).Signature);
        foreach (var region in body.ExceptionRegions)
        {
            Text(FormattableString.Invariant($"{region.Kind} {region.TryOffset} {region.TryLength} {region.HandlerOffset} ")
                + FormattableString.Invariant($"{region.HandlerLength} {region.FilterOffset}"));
            if (!region.CatchType.IsNil) Token(MetadataTokens.GetToken(region.CatchType));
        }
        var code = body.GetILReader();
        while (code.RemainingBytes > 0)
        {
            int value = code.ReadByte();
            if (value == 0xFE) value = 0xFE00 | code.ReadByte();
            Text(FormattableString.Invariant($"{value:x}"));
            Operand(Codes[value].OperandType, ref code);
        }
    }

    private void Operand(OperandType kind, ref BlobReader code)
    {
        switch (kind)
        {
            case OperandType.InlineNone:
                return;
            case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType
                or OperandType.InlineSig or OperandType.InlineString:
                Token(code.ReadInt32());
                return;
            case OperandType.InlineSwitch:
                var count = code.ReadInt32();
                _hash.AppendData(code.ReadBytes(checked(count * 4)));
                return;
            default:
                _hash.AppendData(code.ReadBytes(kind switch
                {
                    OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                    OperandType.InlineVar => 2,
                    OperandType.InlineI8 or OperandType.InlineR => 8,
                    _ => 4,
                }));
                return;
        }
    }

    /// <summary>Writes what a token names, and goes on to the type where that is of this assembly.</summary>
    private void Token(int token)
    {
        if (token >>> 24 == 0x70)
        {
            Text(_metadata.GetUserString((UserStringHandle)MetadataTokens.Handle(token)));
            return;
        }
        var handle = MetadataTokens.EntityHandle(token);
        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition:
                Text(Name((TypeDefinitionHandle)handle));
                Reach((TypeDefinitionHandle)handle);
                break;
            case HandleKind.TypeReference:
                var reference = _metadata.GetTypeReference((TypeReferenceHandle)handle);
                Text(_metadata.GetString(reference.Namespace) + "." + _metadata.GetString(reference.Name));
                break;
            case HandleKind.TypeSpecification:
                Blob(_metadata.GetTypeSpecification((TypeSpecificationHandle)handle).Signature);
                break;
            case HandleKind.MethodDefinition:
                var method = _metadata.GetMethodDefinition((MethodDefinitionHandle)handle);
                Text(_metadata.GetString(method.Name));
                Blob(method.Signature);
                Token(MetadataTokens.GetToken(method.GetDeclaringType()));
                break;
            case HandleKind.FieldDefinition:
                var field = _metadata.GetFieldDefinition((FieldDefinitionHandle)handle);
                Text(_metadata.GetString(field.Name));
                Token(MetadataTokens.GetToken(field.GetDeclaringType()));
                break;
            case HandleKind.MemberReference:
                var member = _metadata.GetMemberReference((MemberReferenceHandle)handle);
                Text(_metadata.GetString(member.Name));
                Blob(member.Signature);
                Token(MetadataTokens.GetToken(member.Parent));
                break;
            case HandleKind.MethodSpecification:
                var specification = _metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                Blob(specification.Signature);
                Token(MetadataTokens.GetToken(specification.Method));
                break;
            case HandleKind.StandaloneSignature:
                Blob(_metadata.GetStandaloneSignature((StandaloneSignatureHandle)handle).Signature);
                break;
        }
    }

    /// <summary>A signature: its bytes, but for the types in it, which are numbers of rows that an edit elsewhere shifts.</summary>
    private void Blob(BlobHandle blob)
    {
        if (blob.IsNil) return;
        var reader = _metadata.GetBlobReader(blob);
        while (reader.RemainingBytes > 0)
        {
            var value = reader.ReadByte();
            _hash.AppendData([value]);
            // ELEMENT_TYPE_VALUETYPE, ELEMENT_TYPE_CLASS, and modifiers, such as that of an init accessor: a coded TypeDefOrRef follows.
            if (value is not (0x11 or 0x12 or 0x1f or 0x20) || reader.RemainingBytes == 0) continue;
            var start = reader.Offset;
            if (reader.ReadTypeHandle() is { IsNil: false } type && Exists(type)) Token(MetadataTokens.GetToken(type));
            else reader.Offset = start;
        }
    }

    // A count of 17 or 31 looks like the start of a type; then what follows may be no row.
    private bool Exists(EntityHandle type)
        => MetadataTokens.GetRowNumber(type) <= _metadata.GetTableRowCount((TableIndex)(MetadataTokens.GetToken(type) >>> 24));

    private void Resources()
    {
        if (_file.PEHeaders.CorHeader is not { ResourcesDirectory.RelativeVirtualAddress: not 0 and var address } header) return;
        foreach (var resource in _metadata.ManifestResources.Select(_metadata.GetManifestResource))
            Text(_metadata.GetString(resource.Name));
        _hash.AppendData(SHA256.HashData(_file.GetSectionData(address).GetContent(0, header.ResourcesDirectory.Size).AsSpan()));
    }

    private string Name(TypeDefinitionHandle handle)
    {
        var type = _metadata.GetTypeDefinition(handle);
        var name = _metadata.GetString(type.Name);
        if (!type.GetDeclaringType().IsNil) return Name(type.GetDeclaringType()) + "+" + name;
        var space = _metadata.GetString(type.Namespace);
        return space.Length > 0 ? space + "." + name : name;
    }

    private void Text(string text)
    {
        _hash.AppendData(Encoding.UTF8.GetBytes(text));
        _hash.AppendData([0]);
    }
}
